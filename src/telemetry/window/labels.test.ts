import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Labels } from './labels.ts'
import { NameTable } from './name-table.ts'

test('an environment that makes up services and operations takes no room for names from the others, and may have new ones the next day', () => {
  const names = new NameTable()
  const labels = new Labels(names)
  const said = (scope: number, service: number, text: string) => names.text(labels.of(scope, service, 'operation').admit(names.internText(text)))
  for (let service = 2; service < 100; service++) for (let n = 0; n < 500; n++) said(7, service, `${service} ${n}`)
  assert.equal(said(7, 200, 'one more'), 'other')
  assert.equal(said(8, 2, 'of another'), 'of another')
  const known = labels.capped().reduce((sum, { count }) => sum + count, 0)
  assert.equal(known, 98 * 500 - 20_000 + 1)
  labels.forget()
  assert.equal(said(7, 200, 'one more'), 'one more')
})
