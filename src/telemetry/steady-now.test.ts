import assert from 'node:assert/strict'
import { test } from 'node:test'
import { steadyNow } from './steady-now.ts'

test('time goes on while the clock is an hour behind what it was, and follows when it is put forward', () => {
  const [clock, ran] = [{ ms: 1_000_000 }, { ms: 50 }]
  const now = steadyNow(
    () => clock.ms,
    () => ran.ms,
  )
  const pass = (ms: number) => {
    clock.ms += ms
    ran.ms += ms
    return now()
  }
  assert.equal(pass(0), 1_000_000)
  assert.equal(pass(10), 1_000_010)
  clock.ms -= 3_600_000
  assert.equal(pass(100), 1_000_110, 'or no trace would be closed for an hour')
  clock.ms += 7_200_000
  assert.equal(pass(1), 1_000_111 + 3_600_000)
})
