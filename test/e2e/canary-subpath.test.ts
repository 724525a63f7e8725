import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '../..')

test('the example of weir/canary runs as it is written down', () => {
  const page = readFileSync(join(ROOT, 'docs/concepts/judging.md'), 'utf8')
  const [, code = ''] = /```js\n([\s\S]*?)```/.exec(page) ?? []
  const told = execFileSync(process.execPath, ['--input-type=module', '--eval', code], { cwd: ROOT, encoding: 'utf8' })
  assert.deepEqual(told.trim().split('\n'), [
    'inconclusive: there is no latency of web to compare yet',
    'inconclusive: in suspicion: errors web, by chance 1 in 27',
    'fail: canary 6 of 6 errors, expected 0.6; by chance 1 in 150,000; GET /pay worst',
  ])
})
