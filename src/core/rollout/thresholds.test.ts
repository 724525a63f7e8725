import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bucketOf, sparse } from '../model/latency-sketch.ts'
import { thresholdsOf } from './thresholds.ts'

const latency = sparse(new Map([10, 20, 30, 40].map((ms) => [bucketOf(ms), 50])))
const row = { service: 'web', origin: 3, route: '/', requests: 200, latency }

test('quantiles of the stable side are thresholds, route by route', () => {
  const [p50 = 0, , p90 = 0, , p99 = 0] = thresholdsOf([row], { web: 3 }, 200)['web']?.['/'] ?? []
  assert.ok(Math.abs(p50 - 20) < 0.5, `${p50}`)
  assert.ok(Math.abs(p90 - 40) < 1 && p99 === p90, `${p90}`)
})

test('of a route with too few requests, of another release and of a service that is not compared there are none', () => {
  const rows = [
    { ...row, requests: 199 },
    { ...row, route: '/a', origin: 2 },
    { ...row, service: 'db', route: '/b' },
    { ...row, route: '/c', latency: [] },
  ]
  assert.deepEqual(thresholdsOf(rows, { web: 3 }, 200), {})
})
