import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WeirError } from '../errors.ts'
import { silentParts } from './silent-parts.ts'

test('parts that answer are not named; those that refuse or keep silent are, with the reason', async () => {
  const silent = await silentParts(
    {
      store: async () => 1,
      runner: async () => Promise.reject(new WeirError('E_UNAVAILABLE', { message: 'a part of Weir does not answer', cause: 'nobody answers at runner.sock' })),
      gateway: () => new Promise(() => {}),
    },
    20,
  )
  assert.deepEqual(silent, [
    { part: 'runner', cause: 'nobody answers at runner.sock' },
    { part: 'gateway', cause: 'no answer in 20 ms' },
  ])
})
