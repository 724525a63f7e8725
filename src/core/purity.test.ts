import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { codeOnly, findLines, sourceFiles } from '../testing/source-text.ts'

/** core/ decides as a function of values: what it needs to know of time, chance or the world is handed to it. */
const IMPURE: readonly (readonly [RegExp, string])[] = [
  [/\bDate\b/, 'reads the clock: take `now` as a parameter'],
  [/\bMath\.random\b/, 'takes chance: take a Random as a parameter'],
  [/\bperformance\b\s*\./, 'reads the clock: take `now` as a parameter'],
  [/\bcrypto\b\s*\./, 'takes chance: take a Random as a parameter'],
  [/\bconsole\b/, 'prints: return the reason as a value'],
  [/\bprocess\b\s*[.[]/, 'reads the process: take what it needs as a parameter'],
  [/\b(setTimeout|setInterval|setImmediate|queueMicrotask|fetch)\s*\(/, 'acts on the world: return what is wanted'],
  [/\b(async|await|Promise)\b/, 'waits: decisions are made at once'],
]
const NODE: readonly (readonly [RegExp, string])[] = [[/['"]node:[a-z/_]+['"]/, 'imports from Node: core knows only values']]

test('nothing under core/ touches the clock, chance, the process or the world', () => {
  const files = sourceFiles('src/core')
  assert.ok(files.length > 10, 'core was found')
  const found = files.flatMap((file) => impurities(file, readFileSync(file, 'utf8')))
  assert.deepEqual(found, [])
})

test('impurity is found where it is, and comments and texts that look like it are not', () => {
  assert.deepEqual(impurities('x.ts', "const a = 1\nimport { join } from 'node:path'\n"), ['x.ts:2 imports from Node: core knows only values'])
  assert.deepEqual(impurities('x.ts', 'f(Date.now())'), ['x.ts:1 reads the clock: take `now` as a parameter'])
  assert.deepEqual(impurities('x.ts', 'f(`${new Date()}`)'), ['x.ts:1 reads the clock: take `now` as a parameter'])
  assert.deepEqual(impurities('x.ts', "/* Date\n console */\n// process.env\nconst processName = 'the process.'"), [])
})

function impurities(file: string, source: string): string[] {
  return [...findLines(file, codeOnly(source, { strings: 'keep' }), NODE), ...findLines(file, codeOnly(source, { strings: 'blank' }), IMPURE)]
}
