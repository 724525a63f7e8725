import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KIND } from '../../core/tracegraph/spans.ts'
import { EPOCH_MS, keyValues, spanId, testWindow, traceId } from '../window/testing.ts'
import { otlpFromJson } from '../wire/otlp-json.ts'
import { spanErrors } from './span-errors.ts'

interface Made {
  readonly id: number
  readonly parent?: number
  readonly service?: string
  readonly name: string
  readonly kind: keyof typeof KIND
  readonly failed?: boolean
  readonly status?: number
  readonly exception?: string
}

/** Errors of one trace, as `service error | place`. */
function errorsOf(...batches: readonly (readonly Made[])[]): string[][] {
  const told: string[][] = []
  const its = testWindow({
    onClosed: (closed) => told.push(spanErrors(closed, its.window.names).map((it) => `${it.service} ${it.release} ${it.error} | ${it.place}`)),
  })
  for (const spans of batches) {
    const request = {
      resourceSpans: spans.map(({ id, parent, service = 'web', name, kind, failed = false, status, exception }) => ({
        resource: { attributes: keyValues({ 'service.name': service, 'service.version': 'v4' }) },
        scopeSpans: [
          {
            spans: [
              {
                traceId: traceId(1),
                spanId: spanId(id),
                parentSpanId: parent === undefined ? '' : spanId(parent),
                name,
                kind: KIND[kind],
                startTimeUnixNano: String(BigInt(EPOCH_MS + id) * 1_000_000n),
                endTimeUnixNano: String(BigInt(EPOCH_MS + id + 10) * 1_000_000n),
                attributes: keyValues(status === undefined ? {} : { 'http.response.status_code': status }),
                events: [
                  { name: 'cache miss', attributes: keyValues({ 'exception.type': 'NotOne' }) },
                  ...(exception === undefined
                    ? []
                    : [{ name: 'exception', attributes: keyValues({ 'exception.type': 'E', 'exception.stacktrace': exception }) }]),
                ],
                status: failed ? { code: 2 } : {},
              },
            ],
          },
        ],
      })),
    }
    its.window.accept(12, otlpFromJson('traces', request))
    its.pass(3000)
  }
  return told
}
const THROWN = 'TypeError: no id 17\n    at cart (/srv/app/cart.js:4:2)'
const DOWN = 'Error: down\n    at ask (/srv/app/db.js:1:1)'

test('an exception counts once a visit of a service, with the operation and status of the visit, however far up it was passed on', () => {
  assert.deepEqual(
    errorsOf([
      { id: 1, name: 'GET /cart', kind: 'server', failed: true, status: 500, exception: THROWN },
      { id: 2, parent: 1, name: 'render', kind: 'internal', failed: true, exception: THROWN },
      { id: 3, parent: 2, name: 'query', kind: 'client', failed: true, exception: DOWN },
    ]),
    [['web v4 TypeError at cart (cart.js) | GET /cart 500', 'web v4 Error at ask (db.js) | GET /cart 500']],
  )
})

test('a request that failed and tells of no exception counts by operation and status, its callers too', () => {
  assert.deepEqual(
    errorsOf([
      { id: 1, name: 'GET /cart', kind: 'server', failed: true, status: 502 },
      { id: 2, parent: 1, name: 'GET', kind: 'client', failed: true, status: 500 },
      { id: 3, parent: 2, service: 'api', name: 'GET /lines', kind: 'server', failed: true, status: 500, exception: THROWN },
    ]),
    [['api v4 TypeError at cart (cart.js) | GET /lines 500', 'web v4  | GET /cart 502']],
  )
})

test('what did not fail is no error, whatever it tells of', () => {
  assert.deepEqual(errorsOf([{ id: 1, name: 'GET /cart', kind: 'server', status: 404, exception: THROWN }]), [[]])
})

test('late spans add what is new, and count nothing again', () => {
  const [first, second] = errorsOf(
    [{ id: 1, name: 'GET /cart', kind: 'server', failed: true, status: 500, exception: THROWN }],
    [{ id: 2, parent: 1, name: 'query', kind: 'client', failed: true, exception: DOWN }],
  )
  assert.deepEqual([first, second], [['web v4 TypeError at cart (cart.js) | GET /cart 500'], ['web v4 Error at ask (db.js) | GET /cart 500']])
})
