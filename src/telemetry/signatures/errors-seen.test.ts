import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NameTable } from '../window/name-table.ts'
import { ErrorsSeen } from './errors-seen.ts'

test('of a flood of errors some are read in a second, and every one is counted', () => {
  const now = Date.UTC(2026, 10, 22)
  const errors = new ErrorsSeen({ names: new NameTable(), now: () => now, sends: () => false })
  const entry = { atMs: now, service: 'web', release: 'v4', instance: '', severity: 17, trace: '', span: '', text: 'lost', attributes: null }
  errors.logged(
    12,
    Array.from({ length: 3000 }, () => entry),
  )
  assert.deepEqual(
    errors.view(12, now - 1000).signatures.map(({ signature, count }) => [signature, count]),
    [
      ['other', 2000],
      ['lost', 1000],
    ],
  )
})
