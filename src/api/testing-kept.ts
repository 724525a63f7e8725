import { WeirError } from '../errors.ts'
import type { Page, PageRequest } from '../store/queries.ts'
import type {
  LatestSample,
  LogFilter,
  MetricFilter,
  MetricName,
  Rollups,
  SampleFilter,
  StoredLog,
  StoredSample,
  StoredTrace,
  TraceFilter,
  TraceSummary,
} from '../store/telemetry-queries.ts'
import type { TraceView } from '../telemetry/telemetry.ts'
import type { ApiPorts } from './ports.ts'

/** Kept telemetry in memory, by environment. */
export class KeptInMemory implements NonNullable<ApiPorts['kept']> {
  away = false
  readonly #traces = new Map<string, { readonly summary: TraceSummary; readonly view: TraceView }[]>()
  readonly #logs = new Map<string, StoredLog[]>()
  readonly #samples = new Map<string, (StoredSample & { readonly name: string; readonly unit: string })[]>()

  addTrace(environment: string, view: TraceView, kept: TraceSummary['kept'] = 'sampled'): void {
    const { id, at, tree: _tree, orphans: _orphans, services, ...rest } = view
    const summary = { trace: id, atMs: at, release: '', kept, services, ...rest }
    this.#traces.set(environment, [{ summary, view }, ...(this.#traces.get(environment) ?? [])])
  }
  addLog(environment: string, log: StoredLog): void {
    this.#logs.set(environment, [log, ...(this.#logs.get(environment) ?? [])])
  }

  async traces(environment: string, filter: TraceFilter, { limit }: PageRequest): Promise<Page<TraceSummary>> {
    const own = this.#of(this.#traces, environment).map((it) => it.summary)
    const items = own.filter(
      (it) =>
        it.atMs >= filter.fromMs &&
        it.atMs < filter.toMs &&
        (filter.service === null || it.services.includes(filter.service)) &&
        it.durationMs >= (filter.minDurationMs ?? 0) &&
        (filter.failed === null || it.failed === filter.failed),
    )
    return { items: items.sort((a, b) => b.atMs - a.atMs).slice(0, limit), cursor: null }
  }
  async trace(environment: string, trace: string): Promise<StoredTrace | null> {
    const stored = this.#of(this.#traces, environment).find((it) => it.view.id === trace)
    return stored ? { trace, atMs: stored.view.at, spans: Buffer.from(JSON.stringify(stored.view)) } : null
  }
  async viewOf({ spans }: StoredTrace): Promise<TraceView> {
    return JSON.parse(Buffer.from(spans).toString()) as TraceView
  }
  async logs(environment: string, filter: LogFilter, { limit }: PageRequest): Promise<Page<StoredLog>> {
    const items = this.#of(this.#logs, environment).filter(
      (it) =>
        it.atMs >= filter.fromMs &&
        it.atMs < filter.toMs &&
        filter.words.every((word) => it.text.toLowerCase().includes(word.toLowerCase())) &&
        (filter.service === null || it.service === filter.service) &&
        (filter.release === null || it.release === filter.release) &&
        it.severity >= (filter.severity ?? 0) &&
        (filter.trace === null || it.trace === filter.trace),
    )
    return { items: items.slice(0, limit), cursor: null }
  }
  async rollups(environment: string): Promise<Rollups> {
    this.#of(this.#traces, environment)
    return { widthMs: 10_000, series: [] }
  }
  async edges(): Promise<[]> {
    return []
  }
  addSample(environment: string, sample: StoredSample & { readonly name: string; readonly unit: string }): void {
    this.#samples.set(environment, [sample, ...(this.#samples.get(environment) ?? [])])
  }
  async metrics(environment: string, filter: MetricFilter, { limit }: PageRequest): Promise<Page<MetricName>> {
    const named = Map.groupBy(this.#fitting(environment, filter), (it) => it.name)
    const items = [...named].map(([name, own]) => ({
      name,
      unit: own[0]?.unit ?? '',
      services: [...new Set(own.map((it) => it.service))].sort(),
      atMs: own[0]?.atMs ?? 0,
    }))
    return { items: items.slice(0, limit), cursor: null }
  }
  async samples(environment: string, filter: SampleFilter, { limit }: PageRequest): Promise<Page<StoredSample>> {
    const items = this.#fitting(environment, filter).filter((it) => it.name === filter.name)
    return { items: items.slice(0, limit).map(({ name: _, unit: _unit, ...it }) => it), cursor: null }
  }
  async latestSamples(environment: string): Promise<LatestSample[]> {
    return this.#of(this.#samples, environment)
  }

  #fitting(environment: string, { fromMs, toMs, service }: MetricFilter) {
    return this.#of(this.#samples, environment).filter((it) => it.atMs >= fromMs && it.atMs < toMs && (service === null || it.service === service))
  }
  #of<T>(kept: ReadonlyMap<string, T[]>, environment: string): T[] {
    if (this.away) throw new WeirError('E_UNAVAILABLE', { message: 'the store does not answer' })
    return [...(kept.get(environment) ?? [])]
  }
}
