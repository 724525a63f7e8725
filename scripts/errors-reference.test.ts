import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CATALOGUE } from '../src/errors.ts'
import { ERRORS_FILE, errorsReference } from './errors-reference.ts'

test('docs/reference/errors.md lists exactly the errors of the catalogue (npm run generate)', () => {
  assert.equal(readFileSync(join(import.meta.dirname, '..', ERRORS_FILE), 'utf8'), errorsReference())
})

test('every error can be told from success and has a meaning in a full sentence', () => {
  for (const [code, { status, exit, about }] of Object.entries(CATALOGUE)) {
    assert.match(code, /^E_[A-Z]+(_[A-Z]+)*$/)
    assert.ok(status >= 400 && status < 600, code)
    assert.ok([1, 2, 3, 4, 5, 6, 7, 64, 78, 130].includes(exit), code)
    assert.match(about, /^[A-Z].*\.$/, code)
  }
})
