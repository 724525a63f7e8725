/**
 * Made-up traffic on a canary and beside it, request by request, from a seed: what judges are compared on.
 *
 * ```ts
 * const stream = createStream({ ...QUIET, rps: 100, share: 0.1, fault: { errors: 0.05 } }, seed)
 * const tick = stream.next(1000) // one second
 * for (let i = 0; i < tick.count; i++) judge.see(tick.onCanary[i] === 1, tick.failed[i] === 1, tick.latencyMs[i])
 * ```
 * A tick's columns are used again by the next: read them before. All that a rival may want to know is in them: which side, replica, client
 * and route, how long it took, whether it failed (5xx). `evidence.ts` makes blocks of counts of them, as the gateway would.
 *
 * A world without `fault` is an A/A: whatever else is in it (bursts, failing clients, outages of both sides, pauses, drift) hits both sides by lot.
 */
import { type Chance, chance } from './random.ts'

export interface World {
  /** Requests a second, over both sides. */
  readonly rps: number
  /** Wanted share of the canary. */
  readonly share: number
  /** What is put on a side by lot. */
  readonly unit: 'request' | 'client'
  readonly clients: number
  /** Their traffic falls off as 1/rank. */
  readonly routes: number
  readonly replicas: { readonly canary: number; readonly stable: number }
  /** Chance of an error, both sides. */
  readonly errors: number
  /** Standard deviation of log latency; medians are 10 ms to 100 ms by route. */
  readonly spread: number
  readonly disturbance: Disturbance
  /** Of the canary alone; null: an A/A. */
  readonly fault: Fault | null
}

export interface Fault {
  /** Seconds from the beginning; 0 when not named. */
  readonly fromS?: number
  /** Chance of an error instead of the world's. */
  readonly errors?: number
  /** Only of this route. */
  readonly route?: number
  /** Latency times this. */
  readonly slower?: number
  /** A share of requests times a factor. */
  readonly tail?: { readonly share: number; readonly factor: number }
}

/**
 * | disturbance    | what happens                                                                                      |
 * |----------------|---------------------------------------------------------------------------------------------------|
 * | none           | arrivals by chance, errors by chance                                                              |
 * | bursts         | about every 20 s a client meets a row of errors, 5 on average                                     |
 * | failing-1, -5  | so many clients fail with each request                                                            |
 * | drift          | the true share goes from 0.85 to 1.15 times what is wanted and back, the error rate with it (× 5) |
 * | surge          | minutes 10 to 15: five times the traffic, errors × 10, twice as slow                              |
 * | joint-outage   | minutes 10 to 11: four of five requests fail on both sides                                        |
 * | pauses         | each replica stops now and then for 150 ms on average; who comes meanwhile waits                  |
 * | long-pauses    | each replica stops about every 30 s for 0.3 to 1 s, as on a busy machine                          |
 * | slow-start     | a fresh replica of the canary is five times as slow, settling within some 20 requests             |
 */
export type Disturbance = 'none' | 'bursts' | 'failing-1' | 'failing-5' | 'drift' | 'surge' | 'joint-outage' | 'pauses' | 'long-pauses' | 'slow-start'
export const DISTURBANCES: readonly Disturbance[] = [
  'none',
  'bursts',
  'failing-1',
  'failing-5',
  'drift',
  'surge',
  'joint-outage',
  'pauses',
  'long-pauses',
  'slow-start',
]

export const QUIET: World = {
  rps: 100,
  share: 0.1,
  unit: 'request',
  clients: 200,
  routes: 10,
  replicas: { canary: 1, stable: 3 },
  errors: 0.001,
  spread: 0.5,
  disturbance: 'none',
  fault: null,
}

export interface Tick {
  readonly fromMs: number
  readonly toMs: number
  readonly count: number
  readonly onCanary: Uint8Array
  readonly route: Uint16Array
  /** Of its side. */
  readonly replica: Uint16Array
  readonly client: Uint32Array
  readonly latencyMs: Float64Array
  readonly failed: Uint8Array
  /** How many requests its replica had before. */
  readonly nth: Uint32Array
}

export interface Stream {
  /** The next so many milliseconds. */
  next(ms: number): Tick
  /** Latencies of the stable side in quiet times: to freeze thresholds from. */
  sampleStable(route: number, count: number): Float64Array
}

const BURST_EVERY_S = 20
const BURST_ERRORS = 5
const PAUSES: Partial<Record<Disturbance, PauseKind>> = {
  pauses: { everyMs: 12_000, ms: (random) => random.exponential(150) },
  'long-pauses': { everyMs: 30_000, ms: (random) => 300 + 700 * random.uniform() },
}
const SETTLING_REQUESTS = 7

export function createStream(world: World, seed: number): Stream {
  const random = chance(seed)
  const routes = cumulative(Array.from({ length: world.routes }, (_, i) => 1 / (i + 1)))
  const medianMs = Float64Array.from({ length: world.routes }, () => 10 * 10 ** random.uniform())
  const side = Uint8Array.from({ length: world.clients }, () => (random.uniform() < world.share ? 1 : 0))
  /** A hash of each client, so that a share that drifts moves few of them. */
  const place = Float64Array.from({ length: world.clients }, () => random.uniform())
  const failing = new Uint8Array(world.clients)
  const failingClients = world.disturbance === 'failing-1' ? 1 : world.disturbance === 'failing-5' ? 5 : 0
  for (let left = failingClients; left > 0; ) {
    const at = random.below(world.clients)
    if (failing[at] === 0) left--
    failing[at] = 1
  }
  const burst = new Uint32Array(world.clients)
  const served = [new Uint32Array(world.replicas.stable), new Uint32Array(world.replicas.canary)] as const
  const kind = PAUSES[world.disturbance] ?? null
  const pauses = served.map((replicas) => Array.from(replicas, () => (kind === null ? null : createPauses(kind, random))))
  let now = 0
  let columns = allocate(256)

  function next(ms: number): Tick {
    const fromMs = now
    now += ms
    const atS = fromMs / 1000
    const surge = world.disturbance === 'surge' && atS >= 600 && atS < 900
    const count = random.poisson((world.rps * (surge ? 5 : 1) * ms) / 1000)
    if (count > columns.onCanary.length) columns = allocate(count * 2)
    if (world.disturbance === 'bursts' && random.uniform() < ms / 1000 / BURST_EVERY_S) {
      burst[random.below(world.clients)] = 1 + Math.floor(random.exponential(BURST_ERRORS))
    }
    const drift = world.disturbance === 'drift' ? Math.sin(atS / 300) : 0
    const share = world.share * (1 + 0.15 * drift)
    const outage = world.disturbance === 'joint-outage' && atS >= 600 && atS < 660
    const baseErrors = outage ? 0.8 : surge ? world.errors * 10 : world.errors * (drift > 0 ? 1 + 4 * drift : 1)
    const fault = world.fault !== null && atS >= (world.fault.fromS ?? 0) ? world.fault : null
    const arrivals = kind !== null ? Float64Array.from({ length: count }, () => fromMs + random.uniform() * ms).sort() : null

    for (let i = 0; i < count; i++) {
      const client = random.below(world.clients)
      const canary =
        world.unit === 'request' ? (random.uniform() < share ? 1 : 0) : drift === 0 ? (side[client] as number) : (place[client] as number) < share ? 1 : 0
      const route = pick(routes, random.uniform())
      const replicas = served[canary] as Uint32Array
      const replica = replicas.length === 1 ? 0 : random.below(replicas.length)
      const nth = replicas[replica] as number
      replicas[replica] = nth + 1
      const hit = canary === 1 && fault !== null && (fault.route === undefined || fault.route === route) ? fault : null

      let failed = random.uniform() < (hit?.errors ?? baseErrors) ? 1 : 0
      if (failing[client] === 1) failed = 1
      if ((burst[client] as number) > 0) {
        burst[client] = (burst[client] as number) - 1
        failed = 1
      }
      let latencyMs = (medianMs[route] as number) * Math.exp(world.spread * random.normal())
      if (surge) latencyMs *= 2
      if (hit?.slower !== undefined) latencyMs *= hit.slower
      if (hit?.tail !== undefined && random.uniform() < hit.tail.share) latencyMs *= hit.tail.factor
      if (canary === 1 && world.disturbance === 'slow-start') latencyMs *= 1 + 4 * Math.exp(-nth / SETTLING_REQUESTS)
      if (arrivals !== null) latencyMs += pauses[canary]?.[replica]?.wait(arrivals[i] as number) ?? 0

      columns.onCanary[i] = canary
      columns.route[i] = route
      columns.replica[i] = replica
      columns.client[i] = client
      columns.latencyMs[i] = latencyMs
      columns.failed[i] = failed
      columns.nth[i] = nth
    }
    return { fromMs, toMs: now, count, ...columns }
  }

  return {
    next,
    sampleStable: (route, count) => {
      const pausing = kind === null ? null : createPauses(kind, random)
      return Float64Array.from({ length: count }, (_, i) => {
        const wait = pausing?.wait(i * 100) ?? 0
        return (medianMs[route] as number) * Math.exp(world.spread * random.normal()) + wait
      })
    },
  }
}

interface PauseKind {
  readonly everyMs: number
  ms(random: Chance): number
}

interface Pauses {
  /** How long who comes now must wait. Times must not go back. */
  wait(atMs: number): number
}

function createPauses({ everyMs, ms }: PauseKind, random: Chance): Pauses {
  let beginsMs = random.exponential(everyMs)
  let endsMs = beginsMs + ms(random)
  return {
    wait: (atMs) => {
      while (atMs >= endsMs) {
        beginsMs = endsMs + random.exponential(everyMs)
        endsMs = beginsMs + ms(random)
      }
      return atMs >= beginsMs ? endsMs - atMs : 0
    },
  }
}

function allocate(size: number) {
  return {
    onCanary: new Uint8Array(size),
    route: new Uint16Array(size),
    replica: new Uint16Array(size),
    client: new Uint32Array(size),
    latencyMs: new Float64Array(size),
    failed: new Uint8Array(size),
    nth: new Uint32Array(size),
  }
}

function cumulative(weights: readonly number[]): Float64Array {
  const whole = weights.reduce((sum, it) => sum + it, 0)
  let sum = 0
  return Float64Array.from(weights, (it) => (sum += it / whole))
}

function pick(upTo: Float64Array, at: number): number {
  let low = 0
  let high = upTo.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((upTo[middle] as number) > at) high = middle
    else low = middle + 1
  }
  return low
}
