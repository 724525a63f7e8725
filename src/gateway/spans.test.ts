import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Listener } from '../core/model/routing.ts'
import type { Group, Place } from './directory.ts'
import { LABELS, type Label } from './evidence.ts'
import { type EndedSpan, GatewaySpans, type Hop } from './spans.ts'
import { route, table } from './testing.ts'
import { gatewaySpanId, NO_TRACE, type TraceHeaders } from './trace-context.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const THEIRS = '00f067aa0ba902b7'
const from = (span: string, sampled = true): TraceHeaders => ({ ...NO_TRACE, traceparent: `00-${TRACE}-${span}-${sampled ? '01' : '00'}` })

const ENTRY = route('shop.test', '/', 'web')
const EDGE: Listener = {
  kind: 'edge',
  id: 'web-v1-api',
  address: '127.64.1.0',
  listen: 1,
  caller: 'web',
  origin: 1,
  service: 'api',
  port: 'http',
  protocol: 'http',
  track: 'stable',
}
const group: Group = { origin: 2, cause: null, targets: [] }
const placeOf = (listener: Listener): Place => ({
  environment: { table: table('e1', 1, [listener], {}), services: new Map(), judged: null, shadow: null },
  listener,
  service: { name: listener.service, stable: group, canary: null, timeoutMs: 1, drainMs: 1, bodyLimit: 1 },
  hop: listener.kind === 'edge' ? listener.id : 'entry',
})

interface Asked {
  readonly listener: Listener
  readonly headers: TraceHeaders
  readonly sends: 'spans' | 'none' | 'unknown'
  readonly status?: number
  readonly replica?: string | null
  readonly local?: boolean
  readonly label?: Label
}
function carried({ listener, headers, sends, status = 200, replica = 'e1-api-v2-1', local = false, label = LABELS.canary }: Asked): {
  hop: Hop
  spans: EndedSpan[]
} {
  let now = 1000
  const ended: EndedSpan[] = []
  const spans = new GatewaySpans(
    () => now,
    (span) => ended.push(span),
  )
  const place = placeOf(listener)
  const end = (hop: Hop, by: string | null, answered: number) =>
    spans.end({ hop, place, origin: 2, method: 'GET', path: '/cart/7', status: answered, aborted: false, broken: false, replica: by, label })
  if (sends === 'spans') spans.heard([`e1/${listener.service}/v2`])
  if (sends === 'none') {
    end(spans.begin(place, group, NO_TRACE, false), 'e1-api-v2-1', 200)
    now += 11_000
    spans.heard([])
    ended.length = 0
  }
  const hop = spans.begin(place, group, headers, local)
  now += 5
  end(hop, replica, status)
  return { hop, spans: ended }
}
const shapes = (spans: readonly EndedSpan[]) => spans.map(({ service, kind, name }) => `${service} ${kind}: ${name}`)
/** Which span the callee is told to be a child of. */
const told = (hop: Hop, headers: TraceHeaders) => (hop.headers?.traceparent ?? headers.traceparent ?? '').slice(36, 52)

test('from outside: the gateway calls, and stands for a callee without spans of its own', () => {
  const bare = carried({ listener: ENTRY, headers: NO_TRACE, sends: 'none' })
  assert.deepEqual(shapes(bare.spans), ['gateway client: web GET /cart/:id', 'web server: GET /cart/:id'])
  assert.equal(bare.spans[0]?.parent, '')
  assert.equal(bare.spans[1]?.parent, bare.spans[0]?.id)
  assert.equal(told(bare.hop, NO_TRACE), bare.spans[1]?.id)

  const own = carried({ listener: ENTRY, headers: from(THEIRS), sends: 'spans' })
  assert.deepEqual(shapes(own.spans), ['gateway client: web GET /cart/:id'])
  assert.deepEqual([own.spans[0]?.trace, own.spans[0]?.parent], [TRACE, ''], 'the trace is taken over; a parent that never comes is not')
  assert.equal(told(own.hop, NO_TRACE), own.spans[0]?.id)
  assert.equal(carried({ listener: ENTRY, headers: from(THEIRS), sends: 'spans', local: true }).spans[0]?.parent, THEIRS)
})

test('between services: each end that sends no spans of its own has one of ours, and nobody has two', () => {
  const both = carried({ listener: EDGE, headers: from(THEIRS), sends: 'spans' })
  assert.deepEqual(shapes(both.spans), [])
  assert.equal(both.hop.headers, null, 'what came goes on')

  const callee = carried({ listener: EDGE, headers: from(THEIRS), sends: 'none' })
  assert.deepEqual(shapes(callee.spans), ['api server: GET /cart/:id'])
  assert.equal(callee.spans[0]?.parent, THEIRS)

  const caller = carried({ listener: EDGE, headers: NO_TRACE, sends: 'spans' })
  assert.deepEqual(shapes(caller.spans), ['web client: GET /cart/:id'])
  assert.equal(told(caller.hop, NO_TRACE), caller.spans[0]?.id)

  const neither = carried({ listener: EDGE, headers: NO_TRACE, sends: 'none' })
  assert.deepEqual(shapes(neither.spans), ['web client: GET /cart/:id', 'api server: GET /cart/:id'])
})

test('a caller that only sends on what it got is known by our own id, and its trace goes on', () => {
  const ours = gatewaySpanId()
  const { spans } = carried({ listener: EDGE, headers: from(ours), sends: 'none' })
  assert.deepEqual(shapes(spans), ['web client: GET /cart/:id', 'api server: GET /cart/:id'])
  assert.deepEqual([spans[0]?.trace, spans[0]?.parent], [TRACE, ours])
})

test('while it is unknown whether the callee sends spans, ours is an internal one around its own', () => {
  const { spans } = carried({ listener: ENTRY, headers: NO_TRACE, sends: 'unknown' })
  assert.deepEqual(shapes(spans), ['gateway client: web GET /cart/:id', 'web internal: GET /cart/:id'])
})

test('a release that nobody could reach yet has not been silent, and neither has one while nothing was heard at all', () => {
  let now = 0
  const spans = new GatewaySpans(
    () => now,
    () => {},
  )
  const place = placeOf(ENTRY)
  const ask = (replica: string | null) => {
    const hop = spans.begin(place, group, NO_TRACE, false)
    spans.end({ hop, place, origin: 2, method: 'GET', path: '/', status: 200, aborted: false, broken: false, replica, label: null })
    return hop.serverKind
  }
  ask(null)
  now += 60_000
  spans.heard([])
  assert.equal(ask('e1-web-v2-1'), 'internal')
  now += 60_000
  assert.equal(ask('e1-web-v2-1'), 'internal')
  spans.heard(null)
  assert.equal(ask('e1-web-v2-1'), 'server')
})

test('where the gateway answered by itself the callee has its failure all the same', () => {
  const { spans } = carried({ listener: EDGE, headers: from(THEIRS), sends: 'spans', status: 503, replica: null })
  assert.deepEqual(shapes(spans), ['api server: GET /cart/:id'])
  assert.equal(spans[0]?.failed, true)
  assert.equal(spans[0]?.parent, THEIRS)
})

test('a trace that is not sampled makes no spans, and everybody behind hears of it', () => {
  const { hop, spans } = carried({ listener: EDGE, headers: from(gatewaySpanId(), false), sends: 'none' })
  assert.deepEqual(spans, [])
  assert.match(hop.headers?.traceparent ?? '', /-00$/)
  assert.deepEqual(carried({ listener: EDGE, headers: from(THEIRS, false), sends: 'none' }).spans, [])
})

test('of more requests than are traced, the threshold goes with those that are', () => {
  let now = 0
  const spans = new GatewaySpans(
    () => now,
    () => {},
    100,
  )
  const place = placeOf(ENTRY)
  const hops: Hop[] = []
  for (let n = 0; n < 5000; n++) {
    now += 1
    hops.push(spans.begin(place, group, { ...NO_TRACE, traceparent: null, tracestate: 'lost=1' }, false))
  }
  const late = hops.slice(2000).filter((it) => it.sampled)
  assert.ok(late.length > 200 && late.length < 400, `${late.length}`)
  assert.ok(
    late.every((it) => /^ot=th:e[0-9a-f]{1,3}$/.test(it.headers?.tracestate ?? '')),
    String(late[0]?.headers?.tracestate),
  )
})

test('while clients are judged, each span says whose request it is', () => {
  const clients = (label?: Label) => carried({ listener: ENTRY, headers: NO_TRACE, sends: 'none', ...(label && { label }) }).spans.map((it) => it.client)
  assert.deepEqual(clients({ side: 'canary', client: '0123456789abcdef' }), ['0123456789abcdef', '0123456789abcdef'])
  assert.deepEqual(clients(), [null, null])
})
