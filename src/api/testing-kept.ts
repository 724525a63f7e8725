import { WeirError } from '../errors.ts'
import type { Page, PageRequest } from '../store/queries.ts'
import type { LogFilter, Rollups, StoredLog, StoredTrace, TraceFilter, TraceSummary } from '../store/telemetry-queries.ts'
import type { TraceView } from '../telemetry/telemetry.ts'
import type { ApiPorts } from './ports.ts'

/** Kept telemetry in memory, by environment. */
export class KeptInMemory implements NonNullable<ApiPorts['kept']> {
  away = false
  readonly #traces = new Map<string, { readonly summary: TraceSummary; readonly view: TraceView }[]>()
  readonly #logs = new Map<string, StoredLog[]>()

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
  async metrics(): Promise<[]> {
    return []
  }
  async samples(): Promise<[]> {
    return []
  }

  #of<T>(kept: ReadonlyMap<string, T[]>, environment: string): T[] {
    if (this.away) throw new WeirError('E_UNAVAILABLE', { message: 'the store does not answer' })
    return [...(kept.get(environment) ?? [])]
  }
}
