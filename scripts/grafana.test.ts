import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { FAMILIES } from '../src/api/app-metrics.ts'
import { Metrics } from '../src/api/metrics.ts'
import { PLATFORM_FAMILIES } from '../src/api/metrics-page.ts'
import { DASHBOARDS } from './grafana.ts'

const read = (file: string) => readFileSync(join(import.meta.dirname, '..', file), 'utf8')
const RULES = 'infra/prometheus/rules.yaml'

test('the dashboards are those that npm run generate writes', () => {
  for (const [file, text] of Object.entries(DASHBOARDS)) assert.equal(read(file), text, `${file}: npm run generate`)
})

test('rules and dashboards speak only of metrics that are served', () => {
  const served = new Set([
    ...Object.keys(FAMILIES),
    ...PLATFORM_FAMILIES,
    ...[...new Metrics(() => 0).text().matchAll(/^# TYPE (\S+)/gm)].map((it) => it[1] as string),
  ])
  const asked = [RULES, ...Object.keys(DASHBOARDS)].flatMap((file) =>
    [...read(file).matchAll(/\b(weir|process)_[a-z0-9_]+\b/g)].map((it) => [it[0], file] as const),
  )
  assert.ok(asked.length > 20)
  for (const [name, file] of asked) assert.ok(served.has(name), `${file} asks for ${name}, which nobody serves`)
})
