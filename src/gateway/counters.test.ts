import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quantile } from '../core/model/latency-sketch.ts'
import { Counters, type Outcome, RouteBook } from './counters.ts'
import type { Place } from './directory.ts'
import { Evidence } from './evidence.ts'
import { group, route, service, table } from './testing.ts'

const it = table('e1', 7, [route(null)], { web: service(group(1, {})) })
const place = {
  environment: { table: it, services: new Map(), judged: null, shadow: null },
  listener: it.listeners[0],
  service: {},
  hop: 'entry',
} as unknown as Place
const outcome = (more: Partial<Outcome>): Outcome => ({
  place,
  track: 'stable',
  origin: 1,
  path: '/a/1',
  status: 200,
  aborted: false,
  broken: false,
  html: false,
  latencyMs: 10,
  hop: null,
  method: 'GET',
  replica: null,
  target: null,
  label: null,
  ...more,
})

test('a block has a row for each hop, track, release and route, and is numbered', () => {
  const counters = new Counters('w', () => 5, new Evidence())
  for (const more of [
    {},
    { path: '/a/2', html: true },
    { status: 404 },
    { status: 503 },
    { broken: true },
    { aborted: true, status: 500, html: true },
    { track: 'canary', origin: 2 } as const,
  ])
    counters.record(outcome(more))
  const block = counters.close()
  assert.deepEqual(
    block?.rows.map(({ latency: _latency, ...row }) => row),
    [
      {
        environment: 'e1',
        version: { epoch: 1, n: 7 },
        hop: 'entry',
        track: 'stable',
        service: 'web',
        origin: 1,
        route: '/a/:id',
        requests: 6,
        errors: 2,
        rejected4xx: 1,
        aborted: 1,
        html: 1,
      },
      {
        environment: 'e1',
        version: { epoch: 1, n: 7 },
        hop: 'entry',
        track: 'canary',
        service: 'web',
        origin: 2,
        route: '/a/:id',
        requests: 1,
        errors: 0,
        rejected4xx: 0,
        aborted: 0,
        html: 0,
      },
    ],
  )
  const p50 = quantile(block?.rows[0]?.latency ?? [], 0.5) as number
  assert.ok(Math.abs(p50 - 10) <= 0.1)
  assert.equal(counters.close(), null, 'an empty block is none')
  counters.record(outcome({}))
  assert.deepEqual([block?.sequence, counters.close()?.sequence], [1, 2])
})

test('fifty routes are counted apart, the rest as other; a quiet one makes room unless a rollout is running', () => {
  const book = new RouteBook()
  for (let i = 0; i < 50; i++)
    assert.equal(
      book.route(`/r${'x'.repeat(i % 7)}${String.fromCharCode(97 + (i % 26))}/${String.fromCharCode(97 + Math.floor(i / 26))}`, 0, false).startsWith('/r'),
      true,
    )
  assert.equal(book.route('/late', 1000, false), 'other')
  assert.equal(book.route('/late', 700_000, true), 'other')
  assert.equal(book.route('/late', 700_000, false), '/late')
})

test('tables that are indexed anew make no second row, and a new block begins at none', () => {
  const counters = new Counters('w', () => 5, new Evidence())
  const requests = () => counters.close()?.rows.map((row) => [row.track, row.requests])
  for (const on of [place, { ...place }, place]) counters.record(outcome({ place: on }))
  counters.record(outcome({ place: { ...place }, track: 'canary', origin: 2 }))
  assert.deepEqual(requests(), [
    ['stable', 3],
    ['canary', 1],
  ])
  counters.record(outcome({}))
  assert.deepEqual(requests(), [['stable', 1]])
})
