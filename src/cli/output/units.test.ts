import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agoText, bytesText, durationText, parseDuration } from './units.ts'

test('durations read as people say them', () => {
  const table: [ms: number, text: string][] = [
    [0, '0ms'],
    [999, '999ms'],
    [4300, '4.3s'],
    [12_400, '12s'],
    [93_000, '1m33s'],
    [3_600_000, '1h00m'],
    [200_000_000, '2d'],
  ]
  for (const [ms, text] of table) assert.equal(durationText(ms), text)
})

test('times ago are rounded down, and the future is now', () => {
  const now = 1_000_000_000
  assert.equal(agoText(now, now), 'just now')
  assert.equal(agoText(now + 5000, now), 'just now')
  assert.equal(agoText(now - 119_000, now), '1m ago')
  assert.equal(agoText(now - 50 * 3_600_000, now), '2d ago')
})

test('sizes are in binary units', () => {
  assert.equal(bytesText(512), '512 B')
  assert.equal(bytesText(3_500_000), '3.3 MiB')
  assert.equal(bytesText(64 * 1024 ** 2), '64 MiB')
})

test('a duration needs units, and is nothing else', () => {
  assert.equal(parseDuration('1h30m'), 5_400_000)
  assert.equal(parseDuration('250ms'), 250)
  assert.equal(parseDuration('0.5s'), 500)
  for (const text of ['', '5', 'h', '1h ', '-1s', '1w', '1s!']) assert.equal(parseDuration(text), null, text)
})
