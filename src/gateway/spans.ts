import { RouteBook } from './counters.ts'
import type { Group, Place } from './directory.ts'
import type { Label } from './evidence.ts'
import { hexId } from './ids.ts'
import { b3Of, gatewaySpanId, isGatewaySpanId, readContext, type TraceContext, type TraceHeaders, traceparentOf, withThreshold } from './trace-context.ts'
import { TraceSampler } from './trace-sampler.ts'

/** Traces that one worker begins in a second before it samples. */
const TRACES_PER_SECOND = 500
/** A release of which nothing was heard so long after its first answer is taken for one that sends no spans: they take some seconds to be known. */
const BARE_AFTER_MS = 10_000
const MAX_RELEASES = 10_000
/** Of Weir itself, as the caller of what is reached from outside. */
const GATEWAY = 'gateway'
/** All that B3 needs to say of a trace that nobody records. */
const NOT_SAMPLED = '0'

/** Does a service's release send spans of its own? `unknown`: it has only just begun to serve. */
export type Sends = 'spans' | 'none' | 'unknown'

/** The headers that are written in the place of those that came. */
export interface NewTraceHeaders {
  readonly traceparent: string
  readonly tracestate: string | null
  readonly b3: string | null
}

/** One request's place in its trace, from its head to its end. */
export interface Hop {
  readonly trace: string
  /** Parent of the first of our spans; '': none. */
  readonly parent: string
  /** '': none is made. */
  readonly client: string
  readonly server: string
  readonly serverKind: 'server' | 'internal'
  readonly sampled: boolean
  readonly tracestate: string | null
  /** null: what came goes on as it is. */
  readonly headers: NewTraceHeaders | null
  readonly startMs: number
  readonly served: Served
}

/** A release of a service, and since when it has answered requests. */
interface Served {
  readonly key: string
  readonly anyKey: string
  since: number | null
}

export interface HopEnd {
  readonly hop: Hop
  readonly place: Place
  readonly origin: number
  readonly method: string
  readonly path: string
  readonly status: number
  readonly aborted: boolean
  readonly broken: boolean
  /** Who answered; null: the gateway itself, or nobody. */
  readonly replica: string | null
  /** null: evidence of nothing. */
  readonly label: Label | null
}

export interface EndedSpan {
  readonly environment: string
  readonly service: string
  /** 0: the gateway itself. */
  readonly origin: number
  readonly replica: string | null
  readonly trace: string
  readonly id: string
  readonly parent: string
  readonly tracestate: string | null
  readonly kind: 'client' | 'server' | 'internal'
  readonly name: string
  readonly startMs: number
  readonly endMs: number
  readonly method: string
  readonly route: string
  readonly status: number
  readonly failed: boolean
  readonly peer: string | null
  /** Who asked, by keyed hash, while clients are judged. */
  readonly client: string | null
}

/**
 * The gateway's own spans, so that a service without instrumentation has its place in the graph, and one with it is not there twice. Of a hop
 * to a callee:
 *
 * | what came                      | the caller           | client span of          | server span of the callee    | the callee's parent |
 * |--------------------------------|----------------------|-------------------------|------------------------------|---------------------|
 * | from outside                   | not ours             | the gateway             | if it sends none of its own  | the last of ours    |
 * | no context                     | makes no spans       | the caller, a new trace | if it sends none of its own  | the last of ours    |
 * | a context with an id of ours   | sends on what it got | the caller              | if it sends none of its own  | the last of ours    |
 * | a context with another id      | made a span itself   | none                    | if it sends none of its own  | the last of ours, else the caller's |
 *
 * Whether a callee sends spans of its own is heard from the telemetry process (`heard`). While that is unknown, its span of ours is an internal
 * one, which counts as the callee of its caller and not as a call to the callee's own. Where the gateway answered by itself, the
 * callee's span is ours in any case.
 */
export class GatewaySpans {
  readonly #now: () => number
  readonly #ended: (span: EndedSpan) => void
  readonly #sampler: TraceSampler
  readonly #routes = new Map<string, RouteBook>()
  readonly #byGroup = new WeakMap<Group, Served>()
  readonly #served = new Map<string, Served>()
  #senders: ReadonlySet<string> = new Set()
  #heardAt = Number.NEGATIVE_INFINITY

  /** `now`: milliseconds since 1970, with fractions. `ended` gets each span when it is complete. */
  constructor(now: () => number, ended: (span: EndedSpan) => void, tracesPerSecond = TRACES_PER_SECOND) {
    this.#now = now
    this.#ended = ended
    this.#sampler = new TraceSampler(tracesPerSecond, now)
  }

  /** What the telemetry process knows: `e12/web/v3` for each release of a service that has sent spans of its own, `e12/web/*` where they named no release; null: as before. */
  heard(senders: readonly string[] | null): void {
    if (senders !== null) this.#senders = new Set(senders)
    this.#heardAt = this.#now()
  }

  begin(place: Place, group: Group, headers: TraceHeaders, fromThisMachine: boolean): Hop {
    const startMs = this.#now()
    const entry = place.listener.kind !== 'edge'
    const came = readContext(headers)
    const served = this.#servedBy(place, group)
    const sends = this.#sends(served)
    if (came !== null && !entry && !isGatewaySpanId(came.span)) return this.#behindCaller(came, sends, headers, startMs, served)

    const trace = came?.trace ?? hexId(16)
    // Outside, everybody may say that it was sampled: at the entry the choice is ours.
    const sampled = came !== null && !entry ? came.sampled : this.#sampler.keeps(trace)
    const threshold = came !== null && !entry ? undefined : this.#sampler.threshold
    const tracestate = threshold === undefined ? headers.tracestate : withThreshold(came === null ? null : headers.tracestate, threshold)
    const client = gatewaySpanId()
    const server = sends === 'spans' || !sampled ? '' : gatewaySpanId()
    const parent = came === null || (entry && !fromThisMachine) ? '' : came.span
    return hopOf({ trace, parent, client, server, sampled, tracestate, startMs, served }, sends)
  }

  #behindCaller(came: TraceContext, sends: Sends, headers: TraceHeaders, startMs: number, served: Served): Hop {
    const server = sends === 'spans' || !came.sampled ? '' : gatewaySpanId()
    return hopOf({ trace: came.trace, parent: came.span, client: '', server, sampled: came.sampled, tracestate: headers.tracestate, startMs, served }, sends)
  }

  end({ hop, place, origin, method, path, status, aborted, broken, replica, label }: HopEnd): void {
    if (replica !== null && hop.served.since === null) hop.served.since = hop.startMs
    if (!hop.sampled) return
    const own = replica === null && !aborted // the callee has no span of this: the gateway answered
    const server = hop.server === '' && own ? gatewaySpanId() : hop.server
    if (hop.client === '' && server === '') return
    const { listener } = place
    const environment = place.environment.table.environment
    const service = listener.service
    const route = this.#routeOf(environment, service, path)
    const [caller, callerOrigin] = listener.kind === 'edge' ? [listener.caller, listener.origin] : [GATEWAY, 0]
    const same = {
      environment,
      trace: hop.trace,
      tracestate: hop.tracestate,
      startMs: hop.startMs,
      endMs: this.#now(),
      method,
      route,
      status,
      failed: status >= 500 || broken,
      client: label === null ? null : label.client,
    }
    if (hop.client !== '') {
      const name = listener.kind === 'edge' ? `${method} ${route}` : `${service} ${method} ${route}`
      this.#ended({ ...same, service: caller, origin: callerOrigin, replica: null, id: hop.client, parent: hop.parent, kind: 'client', name, peer: service })
    }
    if (server !== '') {
      const parent = hop.client === '' ? hop.parent : hop.client
      this.#ended({ ...same, service, origin, replica, id: server, parent, kind: own ? 'server' : hop.serverKind, name: `${method} ${route}`, peer: null })
    }
  }

  #sends({ key, anyKey, since }: Served): Sends {
    if (this.#senders.has(key) || this.#senders.has(anyKey)) return 'spans'
    return since === null || this.#heardAt - since < BARE_AFTER_MS ? 'unknown' : 'none'
  }

  #servedBy(place: Place, group: Group): Served {
    let served = this.#byGroup.get(group)
    if (served) return served
    const service = `${place.environment.table.environment}/${place.service.name}`
    const key = `${service}/v${group.origin}`
    served = this.#served.get(key) ?? { key, anyKey: `${service}/*`, since: null }
    if (this.#served.size >= MAX_RELEASES) this.#served.clear()
    this.#served.set(key, served)
    this.#byGroup.set(group, served)
    return served
  }

  #routeOf(environment: string, service: string, path: string): string {
    const key = `${environment}/${service}`
    let book = this.#routes.get(key)
    if (!book) {
      book = new RouteBook()
      this.#routes.set(key, book)
    }
    return book.route(path, this.#now(), false)
  }
}

function hopOf(it: Omit<Hop, 'serverKind' | 'headers'>, sends: Sends): Hop {
  const span = it.server === '' ? it.client : it.server
  const context = { trace: it.trace, span, sampled: it.sampled }
  return {
    trace: it.trace,
    parent: it.parent,
    client: it.client,
    server: it.server,
    serverKind: sends === 'unknown' ? 'internal' : 'server',
    sampled: it.sampled,
    tracestate: it.tracestate,
    headers: span === '' ? null : { traceparent: traceparentOf(context), tracestate: it.tracestate, b3: it.sampled ? b3Of(context) : NOT_SAMPLED },
    startMs: it.startMs,
    served: it.served,
  }
}
