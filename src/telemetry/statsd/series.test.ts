import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readLine } from './line.ts'
import { SERIES_LIMITS, StatsdSeries } from './series.ts'

function sent(series: StatsdSeries, ...lines: string[]): boolean {
  return lines.flatMap((line) => readLine(line) ?? assert.fail(line)).every((it) => series.add(it))
}
const points = (series: StatsdSeries) => series.flush(1).map(({ name, value, count }) => (count === null ? `${name} ${value}` : `${name} ${value}/${count}`))

test('counters add up by rate, timers have sum, count and quantiles, sets count what differs', () => {
  const series = new StatsdSeries()
  sent(series, 'hits:1|c', 'hits:1|c|@0.1', 'hits:5|c|#a:b', 'users:a|s', 'users:b|s', 'users:a|s')
  assert.deepEqual(points(series), ['hits 11', 'hits 5', 'users 2'])
  assert.deepEqual(points(series), [], 'each 10 s count for themselves')

  for (let ms = 1; ms <= 100; ms++) sent(series, `took:${ms}|ms`)
  const [whole, ...quantiles] = series.flush(1)
  assert.deepEqual([whole?.name, whole?.unit, whole?.value, whole?.count], ['took', 'ms', 5050, 100])
  assert.deepEqual(
    quantiles.map((it) => it.name),
    ['took.p50', 'took.p95', 'took.p99'],
  )
  for (const [at, ms] of [50, 95, 99].entries()) assert.ok(Math.abs((quantiles[at]?.value ?? 0) / ms - 1) < 0.03, `${quantiles[at]?.value}`)
})

test('a gauge goes on from what it was, and is told of when it is set', () => {
  const series = new StatsdSeries()
  sent(series, 'queue:10|g', 'queue:+5|g', 'queue:-1|g')
  assert.deepEqual(points(series), ['queue 14'])
  assert.deepEqual(points(series), [])
  sent(series, 'queue:+1|g')
  assert.deepEqual(points(series), ['queue 15'])
  for (let flushes = 0; flushes < 62; flushes++) points(series)
  sent(series, 'queue:+1|g')
  assert.deepEqual(points(series), ['queue 1'], 'forgotten after ten minutes')
})

test('the tag service is the service, the others are attributes', () => {
  const series = new StatsdSeries()
  sent(series, 'hits:1|c|#service:web,zone:b', 'hits:1|c')
  assert.deepEqual(
    series.flush(5).map(({ atMs, service, attributes }) => ({ atMs, service, attributes })),
    [
      { atMs: 5, service: 'web', attributes: { zone: 'b' } },
      { atMs: 5, service: '', attributes: {} },
    ],
  )
})

test('a name that explodes in values leaves room for those that are there, and takes no more memory', () => {
  const series = new StatsdSeries()
  for (let n = 0; n < SERIES_LIMITS.series; n++) assert.ok(sent(series, `hits:1|c|#user:${n}`))
  assert.equal(sent(series, 'hits:1|c|#user:new'), false)
  assert.equal(sent(series, 'hits:1|c|#user:0'), true)
  assert.equal(series.flush(1).length, SERIES_LIMITS.series)
  for (let n = 0; n < SERIES_LIMITS.members; n++) assert.ok(sent(series, `users:${n}|s`))
  assert.equal(sent(series, 'users:one-more|s'), false)
  assert.equal(sent(series, 'users:1|s'), true)
  points(series)
  assert.equal(sent(series, 'users:one-more|s'), true)
})
