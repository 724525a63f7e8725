import { QUANTILES, type Thresholds } from '../canary/evidence.ts'
import { quantile } from '../model/latency-sketch.ts'

/** Requests that a route needs before a rollout, and from those of the stable side during it, for quantiles that mean something. */
export const REQUESTS_BEFORE = 200
export const REQUESTS_DURING = 100

export interface Latencies {
  readonly service: string
  readonly origin: number
  readonly route: string
  readonly requests: number
  readonly latency: readonly number[]
}

/**
 * Quantiles of the stable side by route: what later requests of both sides are compared with. A route with fewer requests than `least` has none.
 *
 * @example thresholdsOf(latencies, { web: 3 }, REQUESTS_BEFORE) // { web: { '/': [12, 15, 21, 30, 88] } }
 */
export function thresholdsOf(latencies: readonly Latencies[], stable: Readonly<Record<string, number>>, least: number): Thresholds {
  const services: Record<string, Record<string, readonly number[]>> = {}
  for (const { service, origin, route, requests, latency } of latencies) {
    if (stable[service] !== origin || requests < least) continue
    const values = QUANTILES.map((q) => quantile(latency, q))
    if (values.every((it) => it !== null)) (services[service] ??= {})[route] = values
  }
  return services
}
