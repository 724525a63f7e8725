/**
 * What a metrics store answers about a rollout. It reads counters every SCRAPE_S seconds, so it knows nothing newer than its last reading and
 * nothing of a fresh process before its first: a rate needs two. Five seconds is what Flagger's own Prometheus is set to; the standard is 15.
 */
import type { Tick } from '../canary/streams.ts'

/** Buckets grow by 2 %, from 0.1 ms on: what a rival is told is finer than what it would be by Prometheus' own buckets. */
const GROWTH = Math.log(1.02)
const BUCKETS = 800

const SCRAPE_S = 5

export type Side = 'canary' | 'stable'

export class Metrics {
  readonly #seconds: Record<Side, { requests: number; errors: number; latency: Uint16Array }>[] = []
  readonly #firstScrape: number

  /** `phase`: where between two readings the rollout begins, 0 ≤ phase < 1. */
  constructor(phase: number) {
    this.#firstScrape = 1 + Math.floor(phase * SCRAPE_S)
  }

  /** Whole seconds known. */
  get now(): number {
    return this.#seconds.length
  }

  /** The next second. */
  add(tick: Tick): void {
    const second = { canary: empty(), stable: empty() }
    for (let i = 0; i < tick.count; i++) {
      const side = tick.onCanary[i] === 1 ? second.canary : second.stable
      side.requests++
      side.errors += tick.failed[i] as number
      const bucket = Math.max(0, Math.min(BUCKETS - 1, Math.floor(Math.log((tick.latencyMs[i] as number) / 0.1) / GROWTH)))
      side.latency[bucket] = (side.latency[bucket] as number) + 1
    }
    this.#seconds.push(second)
  }

  /** Share of requests that failed in seconds from ≤ t < to; null: there were none. */
  errorRate(side: Side, from: number, to = this.now): number | null {
    let [requests, errors] = [0, 0]
    for (const second of this.#between(from, to)) {
      requests += second[side].requests
      errors += second[side].errors
    }
    return requests === 0 ? null : errors / requests
  }

  /** Quantile of latency in milliseconds; null: there were no requests. */
  latency(side: Side, quantile: number, from: number, to = this.now): number | null {
    const sums = new Uint32Array(BUCKETS)
    let count = 0
    for (const second of this.#between(from, to)) {
      if (second[side].requests === 0) continue
      count += second[side].requests
      const { latency } = second[side]
      for (let bucket = 0; bucket < BUCKETS; bucket++) sums[bucket] = (sums[bucket] as number) + (latency[bucket] as number)
    }
    if (count === 0) return null
    let below = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      below += sums[bucket] as number
      if (below >= quantile * count) return 0.1 * Math.exp(GROWTH * (bucket + 0.5))
    }
    return null
  }

  #between(from: number, to: number) {
    const scraped = (at: number) => this.#firstScrape + SCRAPE_S * Math.floor((at - this.#firstScrape) / SCRAPE_S)
    return this.#seconds.slice(Math.max(this.#firstScrape, scraped(from)), Math.max(0, scraped(to)))
  }

  /** A figure for each of the last `count` stretches of `stepS` seconds, oldest first; what is not known is left out. */
  series(figure: (from: number, to: number) => number | null, stepS: number, count: number): number[] {
    const values: number[] = []
    for (let from = this.now - stepS * count; from < this.now; from += stepS) {
      const value = from < 0 ? null : figure(from, from + stepS)
      if (value !== null) values.push(value)
    }
    return values
  }
}

function empty() {
  return { requests: 0, errors: 0, latency: new Uint16Array(BUCKETS) }
}
