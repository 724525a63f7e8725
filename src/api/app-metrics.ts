import { originOf } from '../core/model/replica.ts'
import { indicatorsOf } from '../core/objectives/indicators.ts'
import type { EnvironmentDetail, EnvironmentRef } from '../store/queries.ts'
import type { LatestSample } from '../store/telemetry-queries.ts'
import { exposition, type Family, type Labels } from './exposition.ts'
import { objectivesOf } from './objectives.ts'
import type { ApiPorts } from './ports.ts'

/** Each environment is counted at most so often, however many scrape; budgets, for which six hours are read, less often. */
const FRESH_MS = 10_000
const BUDGETS_FRESH_MS = 60_000
const WINDOW_MS = 5 * 60_000
/** Two of the longest periods that can be declared. */
const PROBES_WINDOW_MS = 2 * 3_600_000
/** Beyond these, what is asked for last is left out: a scrape stays below some 100,000 values. */
const MOST_ENVIRONMENTS = 200
const MOST_SERVICES = 100
const MOST_REPLICAS = 500
const MOST_METRIC_SERIES = 500

type Sample = readonly [Labels, number]
type Collected = Record<keyof typeof FAMILIES, Sample[]>

/** Every metric of apps, in the order of the page. Rates and shares are of the last five minutes. */
export const FAMILIES = {
  weir_environment_release: ['gauge', 'Number of the release that serves.'],
  weir_rollout_weight: ['gauge', 'Of the rollout that is running: wanted share of the new release in percent.'],
  weir_rollout_verdict: ['gauge', 'Of the rollout that is running and judged: 1 proven not to be worse, -1 worse, 0 neither yet.'],
  weir_service_replicas_wanted: ['gauge', 'Replicas that should run.'],
  weir_service_replicas_ready: ['gauge', 'Replicas that take requests.'],
  weir_service_requests_per_second: ['gauge', 'Requests a second over the last five minutes.'],
  weir_service_error_ratio: ['gauge', 'Share of requests that failed, over the last five minutes.'],
  weir_service_rejected_ratio: ['gauge', 'Share of requests answered with 4xx, over the last five minutes.'],
  weir_service_latency_seconds: ['gauge', 'Latency by quantile, over the last five minutes.'],
  weir_objective_target: ['gauge', 'What is wanted: seconds, a share, or requests a second.'],
  weir_objective_actual: ['gauge', 'The same over the last hour.'],
  weir_objective_burn_rate: ['gauge', 'How fast the error budget goes; 1 uses it up exactly.'],
  weir_objective_alarm: ['gauge', 'Whether the budget burns too fast in both windows of the pair.'],
  weir_probe_success: ['gauge', 'Whether the last of these declared requests was answered as expected.'],
  weir_probe_duration_seconds: ['gauge', 'How long its answer took.'],
  weir_metric_value: ['gauge', 'The newest value of a metric that a service sent by OTLP or StatsD; of a histogram the sum.'],
  weir_metric_count: ['gauge', 'Of a histogram: how many observations the value is the sum of.'],
  weir_replica_cpu_seconds_total: ['counter', 'Time on processors.'],
  weir_replica_memory_bytes: ['gauge', 'Memory that cannot be dropped.'],
  weir_replica_memory_limit_bytes: ['gauge', 'Memory it may use.'],
} as const satisfies Record<string, readonly ['counter' | 'gauge', string]>

/** The numbers of apps, as Prometheus reads them. */
export class AppMetrics {
  readonly #counted = new Kept<Collected>(FRESH_MS)
  readonly #budgets = new Kept<Awaited<ReturnType<typeof objectivesOf>>>(BUDGETS_FRESH_MS)

  /** One environment that cannot be counted leaves the others as they are. */
  async text(ports: ApiPorts, refs: readonly EnvironmentRef[]): Promise<string> {
    const all: Collected[] = []
    for (const ref of refs.slice(0, MOST_ENVIRONMENTS)) all.push(await this.#counted.get(keyOf(ref), ports.now(), () => this.#collect(ports, ref)))
    const names = Object.keys(FAMILIES) as (keyof typeof FAMILIES)[]
    return exposition(names.map((name): Family => ({ name, type: FAMILIES[name][0], help: FAMILIES[name][1], samples: all.flatMap((it) => it[name]) })))
  }

  async #collect(ports: ApiPorts, ref: EnvironmentRef): Promise<Collected> {
    const into = Object.fromEntries(Object.keys(FAMILIES).map((name) => [name, [] as Sample[]])) as Collected
    const detail = await ports.queries.environment(ref)
    if (!detail) return into
    const about = { app: ref.app, environment: ref.environment }
    const [observed, usage, rows, budgets, probes, sent] = await Promise.allSettled([
      ports.live.observe(detail.id),
      ports.live.usage(detail.id),
      ports.queries.indicators(ref, { windowsMs: [WINDOW_MS], by: 'service', limit: MOST_SERVICES }),
      this.#budgets.get(keyOf(ref), ports.now(), () => objectivesOf(ports, ref, detail)),
      declaresProbes(detail) ? ports.queries.probes(ref, PROBES_WINDOW_MS) : [],
      ports.kept.latestSamples(detail.id, { fromMs: ports.now() - WINDOW_MS, toMs: ports.now() + WINDOW_MS }, MOST_METRIC_SERIES),
    ])
    if (detail.current !== null) into.weir_environment_release.push([about, detail.current])
    addRollout(into, about, detail)
    addReplicas(into, about, detail, observed.status === 'fulfilled' ? observed.value.replicas : null)
    for (const { service, windows } of rows.status === 'fulfilled' ? rows.value : []) if (windows[0]) addIndicators(into, { ...about, service }, windows[0])
    for (const it of budgets.status === 'fulfilled' ? budgets.value : [])
      addObjective(into, { ...about, service: it.service, objective: it.objective, source: it.source }, it)
    for (const { service, probe, last } of probes.status === 'fulfilled' ? probes.value : []) {
      // one that is no longer declared says nothing any more
      if (!Object.hasOwn(detail.graph?.services[service]?.probes ?? {}, probe)) continue
      into.weir_probe_success.push([{ ...about, service, probe }, last.ok ? 1 : 0])
      into.weir_probe_duration_seconds.push([{ ...about, service, probe }, last.durationMs / 1000])
    }
    for (const it of sent.status === 'fulfilled' ? sent.value : []) addSent(into, about, it)
    for (const it of (usage.status === 'fulfilled' ? usage.value : []).slice(0, MOST_REPLICAS)) {
      const labels = { ...about, service: originOf(it.id)?.service ?? '', replica: it.id }
      into.weir_replica_cpu_seconds_total.push([labels, it.cpuMs / 1000])
      into.weir_replica_memory_bytes.push([labels, it.memoryBytes])
      into.weir_replica_memory_limit_bytes.push([labels, it.limits.memoryBytes])
    }
    return into
  }
}

function declaresProbes({ graph }: EnvironmentDetail): boolean {
  return Object.values(graph?.services ?? {}).some((it) => it.probes !== undefined)
}

const VERDICTS = { pass: 1, fail: -1, inconclusive: 0 } as const

function addRollout(into: Collected, about: Labels, { state: { rollout } }: EnvironmentDetail): void {
  if (!rollout) return
  const { phase, judging, target } = rollout
  const labels = { ...about, release: `v${target}` }
  into.weir_rollout_weight.push([labels, phase.name === 'splitting' ? phase.weight : phase.name === 'switching' || phase.name === 'watching' ? 100 : 0])
  if (judging?.verdict) into.weir_rollout_verdict.push([labels, VERDICTS[judging.verdict.kind]])
}

function addReplicas(
  into: Collected,
  about: Labels,
  { state, graph }: EnvironmentDetail,
  seen: readonly { readonly id: string; readonly phase: string }[] | null,
) {
  const ready = seen && new Set(seen.filter((it) => it.phase === 'ready').map((it) => it.id))
  for (const service of Object.keys(graph?.services ?? {}).slice(0, MOST_SERVICES)) {
    const own = Object.entries(state.replicas).filter(([, it]) => it.service === service && it.retired === null)
    into.weir_service_replicas_wanted.push([{ ...about, service }, own.length])
    if (ready) into.weir_service_replicas_ready.push([{ ...about, service }, own.filter(([id]) => ready.has(id)).length])
  }
}

function addIndicators(into: Collected, labels: Labels, counts: Parameters<typeof indicatorsOf>[0]) {
  const of = indicatorsOf(counts, WINDOW_MS)
  into.weir_service_requests_per_second.push([labels, of.throughput])
  if (of.errorShare !== null) into.weir_service_error_ratio.push([labels, of.errorShare])
  if (of.rejected4xxShare !== null) into.weir_service_rejected_ratio.push([labels, of.rejected4xxShare])
  for (const [quantile, ms] of Object.entries({ '0.5': of.p50Ms, '0.95': of.p95Ms, '0.99': of.p99Ms }))
    if (ms !== null) into.weir_service_latency_seconds.push([{ ...labels, quantile }, ms / 1000])
}

function addSent(into: Collected, about: Labels, { name, unit, service, instance, value, count, attributes }: LatestSample) {
  const own = Object.entries(attributes).map(([key, it]) => [
    `attribute_${key.replace(/[^a-zA-Z0-9_]/g, '_')}`,
    typeof it === 'string' ? it : JSON.stringify(it),
  ])
  const labels = { ...Object.fromEntries(own), ...about, service, replica: instance, metric: name, unit }
  into.weir_metric_value.push([labels, value])
  if (count !== null) into.weir_metric_count.push([labels, count])
}

const WINDOW_NAMES = { short: '5m', medium: '30m', long: '1h', longest: '6h' } as const

function addObjective(into: Collected, labels: Labels, it: Awaited<ReturnType<typeof objectivesOf>>[number]) {
  const scale = it.objective.startsWith('latency') ? 1000 : 1
  into.weir_objective_target.push([labels, it.target / scale])
  if (it.actual !== null) into.weir_objective_actual.push([labels, it.actual / scale])
  for (const [window, name] of Object.entries(WINDOW_NAMES) as [keyof typeof WINDOW_NAMES, string][]) {
    const burn = it.burn[window]
    if (burn !== null) into.weir_objective_burn_rate.push([{ ...labels, window: name }, burn])
  }
  for (const speed of ['fast', 'slow']) into.weir_objective_alarm.push([{ ...labels, speed }, it.alarm === speed ? 1 : 0])
}

function keyOf(ref: EnvironmentRef): string {
  return `${ref.tenant}/${ref.app}/${ref.environment}`
}

/** What takes a while to work out, for those who ask again soon; asked for twice at once, it is worked out once. */
class Kept<T> {
  readonly #freshMs: number
  readonly #all = new Map<string, { readonly at: number; readonly value: Promise<T> }>()

  constructor(freshMs: number) {
    this.#freshMs = freshMs
  }

  get(key: string, now: number, make: () => Promise<T>): Promise<T> {
    for (const [other, { at }] of this.#all) if (now - at >= this.#freshMs) this.#all.delete(other)
    const kept = this.#all.get(key)
    if (kept) return kept.value
    const value = make()
    this.#all.set(key, { at: now, value })
    value.catch(() => this.#all.delete(key))
    return value
  }
}
