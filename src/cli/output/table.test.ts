import assert from 'node:assert/strict'
import { test } from 'node:test'
import { displayWidth } from './escape.ts'
import { type Column, tableLines } from './table.ts'

interface Row {
  readonly name: string
  readonly text: string
}
const columns: Column<Row>[] = [
  { title: 'NAME', value: (row) => row.name },
  { title: 'MORE', wide: true, value: () => 'more' },
  { title: 'TEXT', flexible: true, value: (row) => row.text },
]
const heading = (text: string) => text

test('columns are aligned by what one sees, and the last is not padded', () => {
  const lines = tableLines(
    [
      { name: '日本', text: 'a' },
      { name: 'x', text: 'bb' },
    ],
    columns,
    { wide: false, width: null, heading },
  )
  assert.deepEqual(lines, ['NAME  TEXT', '日本  a', 'x     bb'])
})

test('wide shows the columns that are left out otherwise', () => {
  assert.deepEqual(tableLines([{ name: 'x', text: 'y' }], columns, { wide: true, width: null, heading }), ['NAME  MORE  TEXT', 'x     more  y'])
})

test('on a narrow terminal the flexible column gives way', () => {
  const lines = tableLines([{ name: 'web', text: 'a cause that goes on and on' }], columns, { wide: false, width: 20, heading })
  assert.deepEqual(lines, ['NAME  TEXT', 'web   a cause that …'])
  assert.ok(lines.every((line) => displayWidth(line) <= 20))
})
