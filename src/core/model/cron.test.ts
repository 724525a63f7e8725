import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextRun, parseCron } from './cron.ts'

function next(text: string, after: string): string | null {
  const cron = parseCron(text)
  assert.ok(!('problem' in cron), JSON.stringify(cron))
  const at = nextRun(cron, Date.parse(after))
  return at === null ? null : new Date(at).toISOString()
}

test('the next run is the first matching minute after the given time', () => {
  const cases: [string, string, string | null][] = [
    ['0 3 * * *', '2026-11-22T02:59:59Z', '2026-11-22T03:00:00.000Z'],
    ['0 3 * * *', '2026-11-22T03:00:00Z', '2026-11-23T03:00:00.000Z'],
    ['*/15 * * * *', '2026-11-22T10:01:00Z', '2026-11-22T10:15:00.000Z'],
    ['30 4 1,15 * 5', '2026-11-16T00:00:00Z', '2026-11-20T04:30:00.000Z'],
    ['0 0 29 2 *', '2026-03-01T00:00:00Z', '2028-02-29T00:00:00.000Z'],
    ['0 12 * * 7', '2026-11-22T12:00:00Z', '2026-11-29T12:00:00.000Z'],
    ['59 23 31 12 *', '2026-12-31T23:59:00Z', '2027-12-31T23:59:00.000Z'],
    ['0 0 30 2 *', '2026-01-01T00:00:00Z', null],
  ]
  for (const [text, after, expected] of cases) assert.equal(next(text, after), expected, `${text} after ${after}`)
})

test('what is no schedule says why', () => {
  for (const text of ['', '* * * *', '60 * * * *', 'a * * * *', '*/0 * * * *', '5-1 * * * *', '* * 0 * *']) assert.ok('problem' in parseCron(text), text)
})
