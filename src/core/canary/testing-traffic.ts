/** Blocks of counts for tests, from chances and a seed; a second each, one service. */
import { type ClientRow, type EvidenceBlock, QUANTILES, type Side } from './evidence.ts'

export interface Traffic {
  readonly blocks: number
  /** Requests a block. */
  readonly rps: number
  readonly share: number
  readonly errors: Readonly<Record<Side, number>>
  /** Times the chance of exceeding each quantile. */
  readonly slower: number
  readonly routes: number
  readonly clients: number
  readonly seed: number
}

export const CALM: Traffic = { blocks: 60, rps: 100, share: 0.1, errors: { stable: 0.001, canary: 0.001 }, slower: 1, routes: 3, clients: 0, seed: 1 }

export function traffic(over: Partial<Traffic>): EvidenceBlock[] {
  const { blocks, rps, share, errors, slower, routes, clients, seed } = { ...CALM, ...over }
  const uniform = generator(seed)
  const sides = Array.from({ length: clients }, (): Side => (uniform() < share ? 'canary' : 'stable'))
  return Array.from({ length: blocks }, (_, at): EvidenceBlock => {
    const rows = new Map<string, Counted & { service: string; route: string; rejected4xx: number }>()
    const sentTo = new Map<Side, { service: string; side: Side; requests: number; drawn: number }>()
    const replicas = new Map<Side, Counted & { service: string; replica: string }>()
    const seen = new Map<string, Counted & { client: string; rejected4xx: number; failed: string[] }>()
    for (let i = 0; i < rps; i++) {
      const client = clients === 0 ? null : Math.floor(uniform() * clients)
      const side = client === null ? (uniform() < share ? 'canary' : 'stable') : (sides[client] as Side)
      const route = `GET /${Math.floor(uniform() * routes)}`
      const failed = uniform() < errors[side]
      const quantile = uniform()
      const slow = QUANTILES.map((q) => (quantile < (1 - q) * (side === 'canary' ? slower : 1) ? 1 : 0))
      const row = entry(rows, `${side} ${route}`, () => ({ ...nothing(side), service: 'web', route, rejected4xx: 0 }))
      const sent = entry(sentTo, side, () => ({ service: 'web', side, requests: 0, drawn: 0 }))
      sent.requests++
      sent.drawn++
      const own = entry(replicas, side, () => ({ ...nothing(side), service: 'web', replica: `web-${side}` }))
      const ofClient = client === null ? [] : [entry(seen, String(client), () => ({ ...nothing(side), client: String(client), rejected4xx: 0, failed: [] }))]
      for (const it of [row, own, ...ofClient]) {
        it.requests++
        it.timed++
        it.errors += failed ? 1 : 0
        it.slow = it.slow.map((sum, j) => sum + (slow[j] as number))
      }
      if (failed) for (const it of ofClient) if (!it.failed.includes(`web ${route}`)) it.failed.push(`web ${route}`)
    }
    const [fromMs, toMs] = [at * 1000, at * 1000 + 1000]
    return {
      rollout: 'r1',
      stage: 1,
      fromMs,
      toMs,
      weight: share,
      rows: [...rows.values()],
      sent: [...sentTo.values()],
      replicas: [...replicas.values()],
      clients: [...seen.values()] as ClientRow[],
    }
  })
}

interface Counted {
  side: Side
  requests: number
  errors: number
  timed: number
  slow: number[]
}

function nothing(side: Side): Counted {
  return { side, requests: 0, errors: 0, timed: 0, slow: QUANTILES.map(() => 0) }
}

function entry<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}

/** mulberry32 */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
