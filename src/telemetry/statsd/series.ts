import { quantile } from '../../core/model/latency-sketch.ts'
import { Sketch } from '../storage/sketch.ts'
import type { Sample } from '../storage/store.ts'
import type { Observation } from './line.ts'

/** Of one environment; members are those of all its sets. */
export const SERIES_LIMITS = { series: 500, members: 10_000 }
/** A gauge that nobody sets for so many flushes is forgotten. */
const IDLE_FLUSHES = 60
const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 }

type Kept =
  | { readonly kind: 'counter'; sum: number }
  | { readonly kind: 'timer'; sum: number; count: number; readonly sketch: Sketch }
  | { readonly kind: 'gauge'; value: number; idle: number }
  | { readonly kind: 'set'; readonly members: Set<string> }
type Series = { readonly name: string; readonly unit: string; readonly tags: Readonly<Record<string, string>> } & Kept

/**
 * What one environment sent by StatsD since the last flush. A flush makes a point of each series:
 *
 * | type | points |
 * |---|---|
 * | counter | its sum |
 * | timer, distribution | sum and count, as of a histogram; `NAME.p50`, `NAME.p95`, `NAME.p99` |
 * | gauge | its last value, if it was set |
 * | set | how many different members |
 *
 * The tag `service` is the service; other tags are attributes.
 */
export class StatsdSeries {
  readonly #series = new Map<string, Series>()
  #members = 0

  /** false: there is no room for it. */
  add(observation: Observation): boolean {
    const series = this.#of(observation)
    if (series === null) return false
    if (observation.kind === 'set') return series.kind === 'set' && this.#addMember(series.members, observation.member)
    const { value } = observation
    if (observation.kind === 'gauge' && series.kind === 'gauge') {
      series.value = observation.relative ? series.value + value : value
      series.idle = 0
    } else if (observation.kind === 'counter' && series.kind === 'counter') series.sum += value * observation.weight
    else if (observation.kind === 'timer' && series.kind === 'timer') {
      series.sum += value * observation.weight
      series.count += observation.weight
      series.sketch.add(value, observation.weight)
    }
    return true
  }

  flush(atMs: number): Sample[] {
    const samples: Sample[] = []
    for (const [key, series] of this.#series) {
      samples.push(...pointsOf(series, atMs))
      if (series.kind !== 'gauge' || ++series.idle > IDLE_FLUSHES) this.#series.delete(key)
    }
    this.#members = 0
    return samples
  }

  #of(observation: Observation): Series | null {
    const { kind, name, tags } = observation
    const key = `${kind} ${name} ${JSON.stringify(tags)}`
    const known = this.#series.get(key)
    if (known) return known
    if (this.#series.size >= SERIES_LIMITS.series) return null
    const series: Series = { name, unit: observation.kind === 'timer' ? observation.unit : '', tags, ...fresh(kind) }
    this.#series.set(key, series)
    return series
  }

  #addMember(members: Set<string>, member: string): boolean {
    if (members.has(member)) return true
    if (this.#members >= SERIES_LIMITS.members) return false
    this.#members++
    members.add(member)
    return true
  }
}

function fresh(kind: Observation['kind']): Kept {
  if (kind === 'counter') return { kind, sum: 0 }
  if (kind === 'timer') return { kind, sum: 0, count: 0, sketch: new Sketch() }
  if (kind === 'gauge') return { kind, value: 0, idle: 0 }
  return { kind, members: new Set() }
}

function pointsOf(series: Series, atMs: number): Sample[] {
  const { service = '', ...attributes } = series.tags
  const point = (value: number, count: number | null = null, suffix = ''): Sample => ({
    atMs,
    service,
    release: '',
    instance: '',
    name: series.name + suffix,
    unit: series.unit,
    value,
    count,
    attributes,
  })
  if (series.kind === 'counter') return [point(series.sum)]
  if (series.kind === 'gauge') return series.idle === 0 ? [point(series.value)] : []
  if (series.kind === 'set') return [point(series.members.size)]
  const sketch = series.sketch.sparse()
  return [point(series.sum, series.count), ...Object.entries(QUANTILES).map(([name, q]) => point(quantile(sketch, q) ?? 0, null, `.${name}`))]
}
