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
  readonly client?: string
  /** The gateway made it. */
  readonly ours?: boolean
  readonly exception?: string
}

/** Errors of one trace, as `service error | place`. */
function errorsOf(...batches: readonly (readonly Made[])[]): string[][] {
  return errorsOfService({ sends: false }, ...batches)
}
function errorsOfService({ sends }: { readonly sends: boolean }, ...batches: readonly (readonly Made[])[]): string[][] {
  const told: string[][] = []
  const its = testWindow({
    onClosed: (closed) =>
      told.push(
        spanErrors(closed, its.window.names, { sends: () => sends }).map((it) =>
          [`${it.service} ${it.release} ${it.error} | ${it.place}`, it.client].join(' ').trim(),
        ),
      ),
  })
  for (const spans of batches) {
    const request = {
      resourceSpans: spans.map(({ id, parent, service = 'web', name, kind, failed = false, status, client, ours = false, exception }) => ({
        resource: { attributes: keyValues({ 'service.name': service, 'service.version': 'v4', ...(ours && { 'weir.environment': 'e12' }) }) },
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
                attributes: keyValues({ ...(status && { 'http.response.status_code': status }), ...(client && { 'weir.client': client }) }),
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

test('a release that has just begun to serve is entered by an internal span of the gateway; its own span names the request as it will later', () => {
  const entry = { id: 1, service: 'gateway', name: 'web GET /cart/{id}', kind: 'client', failed: true, status: 500, ours: true } as const
  const hop = { id: 2, parent: 1, name: 'GET /cart/{id}', kind: 'internal', failed: true, status: 500, ours: true } as const
  assert.deepEqual(errorsOf([entry, hop]), [['web v4  | GET /cart/{id} 500']])
  const own = { id: 3, parent: 2, name: 'GET /cart/:id', kind: 'server', failed: true, status: 500 } as const
  assert.deepEqual(errorsOf([entry, hop, own]), [['web v4  | GET /cart/:id 500']])
  assert.deepEqual(errorsOfService({ sends: true }, [entry, hop], [own]), [[], ['web v4  | GET /cart/:id 500']], 'spans of its own that come later')
  assert.deepEqual(errorsOf([entry, hop, { ...own, exception: THROWN }]), [['web v4 TypeError at cart (cart.js) | GET /cart/:id 500']])
})

test('an internal span that is not the gateway’s, as of a job or of a parent that was lost, is no request', () => {
  assert.deepEqual(errorsOf([{ id: 1, name: 'nightly', kind: 'internal', failed: true, status: 500 }]), [[]])
})

test('every error of a trace is that of the client that any of its spans names', () => {
  const client = '00ff00ff00ff00ff'
  assert.deepEqual(
    errorsOf([
      { id: 3, parent: 1, name: 'GET /cart', kind: 'server', failed: true, status: 500, exception: THROWN },
      { id: 1, service: 'gateway', name: 'web GET /cart', kind: 'client', failed: true, status: 500, client, ours: true },
    ]),
    [[`web v4 TypeError at cart (cart.js) | GET /cart 500 ${client}`]],
  )
  assert.deepEqual(errorsOf([{ id: 1, name: 'GET /', kind: 'server', failed: true, status: 500, client }]), [['web v4  | GET / 500']], 'an app may not name it')
})

test('late spans add what is new, and count nothing again', () => {
  const [first, second] = errorsOf(
    [{ id: 1, name: 'GET /cart', kind: 'server', failed: true, status: 500, exception: THROWN }],
    [{ id: 2, parent: 1, name: 'query', kind: 'client', failed: true, exception: DOWN }],
  )
  assert.deepEqual([first, second], [['web v4 TypeError at cart (cart.js) | GET /cart 500'], ['web v4 Error at ask (db.js) | GET /cart 500']])
})
