import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { expand, fillTemplates, literal } from './expand.ts'

const VALUES: Record<string, string> = { PORT: '4000', EMPTY: '', 'resources.db.url': 'postgres://x', TRICKY: '$PORT' }
const lookup = (name: string) => VALUES[name]

for (const [text, result] of [
  ['--port=$PORT', '--port=4000'],
  ['${PORT}0', '40000'],
  ['$PORTS', ''],
  ['[${NONE}]', '[]'],
  ['${NONE:-a b}', 'a b'],
  ['${EMPTY:-x}', 'x'],
  ['${EMPTY-x}', ''],
  ['${NONE-}', ''],
  ['$$PORT costs $5', '$PORT costs $5'],
  ['${resources.db.url}', 'postgres://x'],
  ['${resources.other.url}', '${resources.other.url}'],
  ['$TRICKY', '$PORT'],
  ['a ${ b', 'a ${ b'],
] as const) {
  test(`${JSON.stringify(text)} becomes ${JSON.stringify(result)}`, () => assert.equal(expand(text, lookup), result))
}

test('templates are filled in, variables and doubled signs stay for the start', () => {
  assert.equal(
    fillTemplates('${resources.db.url} ${services.x.url} $PORT $$${resources.db.url} $${resources.db.url}', lookup),
    'postgres://x ${services.x.url} $PORT $$postgres://x $${resources.db.url}',
  )
})

test('literal text comes out as it went in', () => {
  fc.assert(fc.property(fc.string(), (text) => assert.equal(expand(literal(text), lookup), text)))
})
