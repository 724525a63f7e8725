import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cappedOf, lostOf } from './lost.ts'
import { STORAGE_POLICY, TelemetryStore } from './storage/store.ts'
import { spansGone } from './window/losses.ts'
import { NameTable } from './window/name-table.ts'
import { requestOf, spanId, testWindow, traceId } from './window/testing.ts'

const QUIET = { gateway: 0, links: [], statsd: {}, logFilesMissed: 0, errorKinds: 0, journalsSetAside: 0 }

function storeThatIsAway(names: NameTable) {
  const waiting = { ...STORAGE_POLICY.waiting, logs: 1000, samples: 0 }
  const connect = () => Promise.reject(new Error('nobody is there'))
  return new TelemetryStore({ connect, names, other: NameTable.OTHER, now: Date.now, policy: { ...STORAGE_POLICY, waiting } })
}

test('what finds no room while the store is away is among the losses, by kind; where nothing is lost there are none', () => {
  const { window } = testWindow()
  const store = storeThatIsAway(window.names)
  assert.deepEqual(lostOf({ ...QUIET, window: window.health(), store: store.health() }), {})
  const about = { service: 'web', release: '', instance: '' }
  const line = { ...about, atMs: 0, severity: 9, trace: '', span: '', text: 'x'.repeat(600), attributes: null }
  store.logs(7, [line, line, line, line])
  store.samples(7, [{ ...about, atMs: 0, name: 'load', unit: '', value: 1, count: null, attributes: {} }])
  const links = [{ name: 'forward otlp', address: '', problem: null, spans: 0, lost: { 'not-forwarded': 5 } }]
  const lost = lostOf({ ...QUIET, gateway: 3, links, statsd: { 'statsd-malformed': 2 }, logFilesMissed: 1, window: window.health(), store: store.health() })
  assert.deepEqual(lost, {
    gateway: 3,
    'logs-not-kept': 2,
    'metrics-not-kept': 1,
    'not-forwarded': 5,
    'log-files-missed': 1,
    'statsd-malformed': 2,
  })
  assert.equal(spansGone({ 'logs-not-kept': 2, 'log-files-missed': 1, gateway: 3 }), 3)
})

test('a label with values without end is named, with its service', () => {
  const { window } = testWindow({ maxSpans: 8192 })
  const spans = Array.from({ length: 1100 }, (_, n) => ({ trace: traceId(n + 1), id: spanId(n + 1), kind: 'server' as const, operation: `work ${n} of it` }))
  window.accept(7, requestOf(spans))
  assert.deepEqual(cappedOf(window.health()), [{ environment: 'e7', service: 'web', label: 'operation', count: 100 }])
})
