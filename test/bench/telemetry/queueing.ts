/**
 * A network of queues that makes traces: services with so many workers each, who serve bursts of work in the order of arrival; between its bursts
 * a service calls others, one after the other or all at once, over a network that takes its time. Pure: everything comes from the seed.
 */
import type { Span } from '../../../src/core/tracegraph/index.ts'

export interface Topology {
  readonly services: readonly SimulatedService[]
  /** Requests that arrive in a second, at service 0. */
  readonly perSecond: number
}

export interface SimulatedService {
  readonly name: string
  readonly workers: number
  /** Mean of a visit's work, exponentially distributed. */
  readonly workMs: number
  readonly calls: readonly Call[]
  readonly parallel: boolean
}

interface Call {
  readonly to: number
  readonly probability: number
}

/** What makes a service slow from a moment on: it waits for something in each visit, it has more to do, or its network is slow. */
export interface Slowness {
  readonly service: number
  readonly kind: 'wait' | 'work' | 'network'
  readonly ms: number
}

const NETWORK_MS = 0.5
/** When a simulation begins, in microseconds since 1970. */
export const SIMULATED_EPOCH_US = 1_700_000_000_000_000

/** A tree of services with some more calls across, so wide and deep as chance has it. */
export function topology(random: () => number, services: number): Topology {
  const perSecond = 5 + random() * 7
  const calls: Call[][] = Array.from({ length: services }, () => [])
  for (let to = 1; to < services; to++) {
    const near = Math.max(0, to - 1 - Math.floor(random() * Math.min(to, 12)))
    calls[random() < 0.5 ? near : Math.floor(random() * Math.min(to, 8))]?.push({ to, probability: 0.5 + random() / 2 })
  }
  for (let extra = 0; extra < services / 10; extra++) {
    const to = 1 + Math.floor(random() * (services - 1))
    calls[Math.floor(random() * to)]?.push({ to, probability: 0.2 })
  }
  return {
    perSecond,
    services: calls.map((its, at) => {
      const workMs = 1 + 15 * random() ** 2
      const busy = (perSecond * workMs) / 1000
      return { name: at === 0 ? 'web' : `s${at}`, workers: Math.max(1, Math.ceil(busy / (0.2 + 0.4 * random()))), workMs, calls: its, parallel: random() < 0.3 }
    }),
  }
}

interface Event {
  readonly atMs: number
  readonly run: (atMs: number) => void
}

/** Traces of `seconds` of traffic, each with the milliseconds at which it began and ended. From `slowFromMs` on `slow` is slow. */
export function simulate(random: () => number, { services, perSecond }: Topology, seconds: number, slow: Slowness | null, slowFromMs: number) {
  const queue = new EventQueue()
  const stations = services.map(({ workers }) => new Station(workers, queue))
  const traces: { beginMs: number; endMs: number; spans: Span[] }[] = []
  const exponential = (mean: number) => -mean * Math.log(1 - random())
  let ids = 0
  const nextId = () => (++ids).toString(16).padStart(16, '0')

  const visit = (at: number, atMs: number, trace: string, parent: string | null, spans: Span[], done: (atMs: number) => void) => {
    const service = services[at] as SimulatedService
    const isSlow = slow !== null && slow.service === at && atMs >= slowFromMs
    const id = nextId()
    let startMs = Number.NaN
    const workMs = exponential(service.workMs) + (isSlow && slow.kind === 'work' ? slow.ms : 0)
    const first = (then: (atMs: number) => void) =>
      stations[at]?.serve(
        atMs,
        workMs / 2,
        (begunMs) => (startMs = begunMs),
        (endMs) => queue.at(endMs + (isSlow && slow.kind === 'wait' ? slow.ms : 0), then),
      )
    const last = (fromMs: number) =>
      stations[at]?.serve(
        fromMs,
        workMs / 2,
        () => {},
        (endMs) => {
          spans.push(span(service.name, `${service.name}.handle`, 'server', trace, id, parent, startMs, endMs))
          done(endMs)
        },
      )
    const wanted = service.calls.filter(({ probability }) => random() < probability)
    first((fromMs) => {
      if (service.parallel) all(wanted, fromMs, id, trace, at, spans, last)
      else oneByOne(wanted, fromMs, id, trace, at, spans, last)
    })
  }
  const call = (to: number, atMs: number, caller: number, parent: string, trace: string, spans: Span[], done: (atMs: number) => void) => {
    const id = nextId()
    const slowNetwork = slow !== null && slow.kind === 'network' && slow.service === to && atMs >= slowFromMs ? slow.ms : 0
    queue.at(atMs + exponential(NETWORK_MS), (arrivedMs) => {
      visit(to, arrivedMs, trace, id, spans, (endMs) => {
        queue.at(endMs + exponential(NETWORK_MS) + slowNetwork, (backMs) => {
          spans.push(span(services[caller]?.name ?? '', `call ${services[to]?.name}`, 'client', trace, id, parent, atMs, backMs))
          done(backMs)
        })
      })
    })
  }
  const oneByOne = (
    calls: readonly Call[],
    atMs: number,
    parent: string,
    trace: string,
    caller: number,
    spans: Span[],
    done: (atMs: number) => unknown,
  ): void => {
    const [next, ...rest] = calls
    if (next === undefined) done(atMs)
    else call(next.to, atMs, caller, parent, trace, spans, (backMs) => oneByOne(rest, backMs, parent, trace, caller, spans, done))
  }
  const all = (calls: readonly Call[], atMs: number, parent: string, trace: string, caller: number, spans: Span[], done: (atMs: number) => unknown): void => {
    let open = calls.length
    if (open === 0) done(atMs)
    for (const { to } of calls) {
      call(to, atMs, caller, parent, trace, spans, (backMs) => {
        if (--open === 0) done(backMs)
      })
    }
  }

  for (let atMs = exponential(1000 / perSecond), number = 1; atMs < seconds * 1000; atMs += exponential(1000 / perSecond), number++) {
    const trace = number.toString(16).padStart(32, '0')
    queue.at(atMs, (nowMs) => {
      const spans: Span[] = []
      visit(0, nowMs, trace, null, spans, (endMs) => traces.push({ beginMs: nowMs, endMs, spans }))
    })
  }
  queue.run()
  return traces
}

function span(service: string, operation: string, kind: Span['kind'], trace: string, id: string, parent: string | null, startMs: number, endMs: number): Span {
  const startUs = SIMULATED_EPOCH_US + Math.round(startMs * 1000)
  const durationUs = Math.round((endMs - startMs) * 1000)
  return { trace, id, ...(parent === null ? {} : { parent }), service, operation, kind, startUs, durationUs }
}

/** Workers who take what waits in the order of its arrival. */
class Station {
  readonly #queue: EventQueue
  readonly #waiting: (() => void)[] = []
  #free: number
  #nowMs = 0

  constructor(workers: number, queue: EventQueue) {
    this.#free = workers
    this.#queue = queue
  }

  serve(atMs: number, workMs: number, begun: (atMs: number) => void, done: (atMs: number) => void): void {
    this.#nowMs = atMs
    const begin = () => {
      begun(this.#nowMs)
      this.#queue.at(this.#nowMs + workMs, (endMs) => {
        this.#nowMs = endMs
        this.#free++
        this.#next()
        done(endMs)
      })
    }
    this.#waiting.push(begin)
    this.#next()
  }

  #next(): void {
    if (this.#free === 0) return
    const begin = this.#waiting.shift()
    if (begin === undefined) return
    this.#free--
    begin()
  }
}

/** A binary heap by time; of events at the same time any may come first. */
class EventQueue {
  readonly #heap: Event[] = []

  at(atMs: number, run: (atMs: number) => void): void {
    const heap = this.#heap
    let at = heap.push({ atMs, run }) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      const [a, b] = [heap[at] as Event, heap[above] as Event]
      if (b.atMs <= a.atMs) break
      heap[at] = b
      heap[above] = a
      at = above
    }
  }

  run(): void {
    for (let next = this.#take(); next !== undefined; next = this.#take()) next.run(next.atMs)
  }

  #take(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (heap.length === 0 || last === undefined) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && (heap[below + 1] as Event).atMs < (heap[below] as Event).atMs) below++
      if ((heap[below] as Event).atMs >= last.atMs) break
      heap[at] = heap[below] as Event
      at = below
    }
    heap[at] = last
    return first
  }
}
