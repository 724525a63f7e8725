import { quantile } from '../model/latency-sketch.ts'

/** What was counted of a service in some time. */
export interface Counts {
  readonly requests: number
  readonly errors: number
  readonly rejected4xx: number
  /** A latency sketch; see core/model/latency-sketch.ts. */
  readonly latency: readonly number[]
}

/** null: nothing was asked of it, so nothing is known. */
export interface Indicators {
  /** Requests a second. */
  readonly throughput: number
  readonly errorShare: number | null
  readonly rejected4xxShare: number | null
  /** Share of requests that did not fail. */
  readonly availability: number | null
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
}

/** @example indicatorsOf({ requests: 600, errors: 3, rejected4xx: 0, latency }, 60_000) // { throughput: 10, errorShare: 0.005, … } */
export function indicatorsOf({ requests, errors, rejected4xx, latency }: Counts, windowMs: number): Indicators {
  const shareOf = (part: number) => (requests === 0 ? null : part / requests)
  return {
    throughput: requests / (windowMs / 1000),
    errorShare: shareOf(errors),
    rejected4xxShare: shareOf(rejected4xx),
    availability: shareOf(requests - errors),
    p50Ms: quantile(latency, 0.5),
    p95Ms: quantile(latency, 0.95),
    p99Ms: quantile(latency, 0.99),
  }
}
