import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isWeirError } from './errors.ts'
import { lockState } from './state-lock.ts'

test('a state folder belongs to one holder, and to the next once it is free', () => {
  const folder = mkdtempSync('/tmp/weir-lock-')
  const unlock = lockState(join(folder, 'lock'))
  assert.throws(
    () => lockState(join(folder, 'lock')),
    (error) => isWeirError(error, 'E_STATE') && (error.explanation.cause ?? '').includes(String(process.pid)),
  )
  unlock()
  lockState(join(folder, 'lock'))()
  rmSync(folder, { recursive: true })
})
