import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { graphFor, readManifest } from './manifest.ts'
import { problemLine } from './problems.ts'

/**
 * Golden pairs: `NAME.in.yaml` is a weir.yaml, `NAME.in/` a source folder; `NAME.out.json` is what Weir makes of it.
 * `UPDATE_GOLDEN=1` writes the answers anew; read the difference before committing it.
 */
const folder = join(import.meta.dirname, 'testdata')

for (const input of readdirSync(folder).filter((name) => /\.in(\.yaml)?$/.test(name))) {
  const name = input.replace(/\.in(\.yaml)?$/, '')
  test(`the app graph of ${input} is that of ${name}.out.json`, () => {
    const out = join(folder, `${name}.out.json`)
    const seen: unknown = JSON.parse(JSON.stringify(outcome(join(folder, input))))
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(out, `${JSON.stringify(seen, null, 2)}\n`)
    assert.ok(existsSync(out), `${out} is missing; run with UPDATE_GOLDEN=1`)
    assert.deepEqual(seen, JSON.parse(readFileSync(out, 'utf8')))
  })
}

function outcome(path: string): unknown {
  const listing = statSync(path).isDirectory() ? readdirSync(path) : ['weir.yaml']
  const files = new Map(listing.map((name) => [name, readFileSync(statSync(path).isDirectory() ? join(path, name) : path)]))
  const result = readManifest({ files, listing, name: 'Example App' })
  if (!result.ok) return { problems: result.problems.map((problem) => `${problem.code} ${problemLine(problem)}`) }
  const { manifest } = result
  const environments = manifest.environments.size > 0 ? [...manifest.environments.keys()] : ['production']
  return {
    notes: result.notes.map((note) => `${note.file}:${note.line}:${note.column} ${note.path}: ${note.effect}`),
    sourceHint: manifest.sourceHint,
    ...Object.fromEntries(environments.map((environment) => [environment, graphFor(manifest, environment)])),
  }
}
