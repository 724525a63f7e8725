import { WeirError } from '../errors.ts'
import type { ErrorsView, GraphView, SignatureCount, Telemetry, TelemetryHealth, TraceFilter, TraceLine, TraceView, WhyView } from './telemetry.ts'

/** Telemetry that says what it was told to say, or nothing at all. */
export class SimulatedTelemetry implements Telemetry {
  /** As of a process that is dead or too slow. */
  silent = false
  /** As `health` tells of them. */
  lost: TelemetryHealth['lost'] = {}
  capped: TelemetryHealth['capped'] = []
  readonly #graphs = new Map<string, GraphView>()
  readonly #reasons = new Map<string, WhyView>()
  readonly #traces = new Map<string, TraceView[]>()
  readonly #errors = new Map<string, readonly SignatureCount[]>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  setGraph(environment: string, graph: GraphView): void {
    this.#graphs.set(environment, graph)
  }
  setWhy(environment: string, why: WhyView): void {
    this.#reasons.set(`${environment} ${why.service}`, why)
  }
  addTrace(environment: string, trace: TraceView): void {
    this.#traces.set(environment, [trace, ...(this.#traces.get(environment) ?? [])])
  }

  setErrors(environment: string, signatures: readonly SignatureCount[]): void {
    this.#errors.set(environment, signatures)
  }

  async health(): Promise<TelemetryHealth> {
    this.#answer()
    return { startedAt: 0, spans: { accepted: 0, inMemory: 0 }, lost: this.lost, capped: this.capped, unjournaled: 0, storage: null, links: [], memoryBytes: 0 }
  }
  async know(): Promise<void> {
    this.#answer()
  }
  async graph(environment: string, { windowMs }: { readonly windowMs: number }): Promise<GraphView> {
    this.#answer()
    return this.#graphs.get(environment) ?? { at: this.#now(), windowMs, services: [], edges: [], classes: [] }
  }
  async why(environment: string, { service }: { readonly service: string }): Promise<WhyView> {
    this.#answer()
    return (
      this.#reasons.get(`${environment} ${service}`) ?? {
        at: this.#now(),
        service,
        sentence: `no request through ${service} was traced lately`,
        since: null,
        load: null,
        holes: [],
        ranked: [],
      }
    )
  }
  async traces(environment: string, { service, errors, minMs, before, limit }: TraceFilter): Promise<readonly TraceLine[]> {
    this.#answer()
    return (this.#traces.get(environment) ?? [])
      .filter((it) => (service === undefined || it.services.includes(service)) && (!errors || it.failed))
      .filter((it) => it.durationMs >= (minMs ?? 0) && it.at < (before ?? Number.POSITIVE_INFINITY))
      .slice(0, limit)
      .map(({ tree: _tree, orphans: _orphans, ...line }) => line)
  }
  async trace(environment: string, id: string): Promise<TraceView | null> {
    this.#answer()
    return this.#traces.get(environment)?.find((it) => it.id === id) ?? null
  }
  async errors(environment: string, { sinceMs }: { readonly sinceMs: number }): Promise<ErrorsView> {
    this.#answer()
    return { at: this.#now(), since: sinceMs, signatures: this.#errors.get(environment) ?? [] }
  }

  #answer(): void {
    if (this.silent) throw new WeirError('E_UNAVAILABLE', { message: 'what the traces say is not known at the moment' })
  }
}
