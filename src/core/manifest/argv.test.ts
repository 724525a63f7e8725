import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { shellSyntax, splitCommand } from './argv.ts'

for (const [line, argv] of [
  ['node server.js', ['node', 'server.js']],
  ['  a\t b  ', ['a', 'b']],
  [`say "two words" 'and $more' x\\ y`, ['say', 'two words', 'and $more', 'x y']],
  ['a "" b', ['a', '', 'b']],
  [`a"b"'c'd`, ['abcd']],
  [String.raw`a "\"" "\\" "\n"`, ['a', '"', '\\', '\\n']],
  [String.raw`a '\'`, ['a', '\\']],
] as const) {
  test(`${line} is split to ${argv.length} words`, () => assert.deepEqual(splitCommand(line), { argv }))
}

test('what cannot be split says why', () => {
  assert.deepEqual(splitCommand('a "b'), { error: 'has no closing "' })
  assert.deepEqual(splitCommand('a\\'), { error: 'ends with a lone backslash' })
  assert.deepEqual(splitCommand('  '), { error: 'is empty' })
})

test('words that were quoted come back as they were', () => {
  const quoted = (word: string) => `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
  fc.assert(fc.property(fc.array(fc.string(), { minLength: 1 }), (words) => assert.deepEqual(splitCommand(words.map(quoted).join(' ')), { argv: words })))
})

for (const [line, sign] of [
  ['a && b', '&&'],
  ['a | b', '|'],
  ['a > file', '>'],
  ['a; b', 'a;'],
  ['a $(date)', '$('],
  ['node x.js "a && b"', null],
  ['node x.js --url=http://h/?a=1&b=2', null],
  ['node x.js $PORT', null],
] as const) {
  test(`${line} ${sign === null ? 'needs no shell' : 'needs a shell'}`, () => assert.equal(shellSyntax(line) === null, sign === null))
}
