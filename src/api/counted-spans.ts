import { mergeSketches } from '../core/model/latency-sketch.ts'
import type { Counts } from '../core/objectives/indicators.ts'
import { KIND } from '../core/tracegraph/spans.ts'
import type { RollupPoint, RollupSeries } from '../store/telemetry-queries.ts'
import type { ApiPorts } from './ports.ts'

const MINUTE_MS = 60_000
const MOST_SERIES = 500

/** Whether it is work that came in: of a server or of a consumer. */
export function cameIn({ spanKind }: Pick<RollupSeries, 'spanKind'>): boolean {
  return spanKind === KIND.server || spanKind === KIND.consumer
}

export function sumOf(points: readonly RollupPoint[]): Counts {
  const sum = (of: (point: RollupPoint) => number) => points.reduce((total, it) => total + of(it), 0)
  return {
    requests: sum((it) => it.count),
    errors: sum((it) => it.errors),
    rejected4xx: sum((it) => it.rejected4xx),
    latency: mergeSketches(points.map((it) => it.latency)),
  }
}

/** What a service took in over several times that all end now, by its spans; whole minutes. Empty: nothing is known. */
export async function tracedOver(
  { kept, now }: Pick<ApiPorts, 'kept' | 'now'>,
  environment: string,
  service: string,
  windowsMs: readonly number[],
): Promise<readonly Counts[]> {
  const toMs = now()
  const asked = { kind: 'operation', service, operation: null, peer: null, release: null, widthMs: MINUTE_MS, limit: MOST_SERIES } as const
  const rollups = await kept.rollups(environment, { ...asked, fromMs: toMs - Math.max(...windowsMs), toMs }).catch(() => null)
  const points = rollups?.series.filter(cameIn).flatMap((it) => it.points) ?? []
  return points.length === 0 ? [] : windowsMs.map((windowMs) => sumOf(points.filter((it) => it.atMs > toMs - windowMs - MINUTE_MS)))
}
