import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tracesFinding } from './checks.ts'

const fine = { accepted: 7, lost: {}, capped: [], unjournaled: 0, storage: null, links: [], memoryBytes: 2 ** 20 }

test('doctor tells of what is lost while the store and the broker are away too', () => {
  assert.equal(tracesFinding(fine, 'look').level, 'ok')
  const { level, text, todo } = tracesFinding(
    {
      ...fine,
      storage: 'connect ECONNREFUSED',
      links: [{ name: 'kafka zipkin', address: 'b:9092', problem: 'no broker', spans: 0, lost: {} }],
      lost: { 'logs-not-kept': 12 },
      capped: [{ environment: 'e7', service: 'web', label: 'operation', count: 100 }],
    },
    'look',
  )
  assert.deepEqual([level, todo], ['warn', 'look'])
  assert.match(text, /^they are seen but not kept: connect ECONNREFUSED; kafka zipkin at b:9092: no broker; 7 spans since the start/)
  assert.match(text, /lost or turned away: logs-not-kept 12; operation of web in e7 has too many values: 100 are counted as other$/)
  assert.equal(tracesFinding({ ...fine, lost: { 'bad-id': 1 } }, 'look').todo, null)
  assert.match(tracesFinding({ ...fine, unjournaled: 3 }, 'look').text, /3 requests found no room in the journal/)
})
