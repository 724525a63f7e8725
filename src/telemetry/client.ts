import { isWeirError, WeirError } from '../errors.ts'
import type { RpcClient } from '../rpc/client.ts'
import type { ErrorsView, GraphView, NamedEnvironment, Telemetry, TelemetryHealth, TraceFilter, TraceLine, TraceView, WhyView } from './telemetry.ts'

/** Whoever asks waits no longer: an answer that comes late is as good as none. */
const WITHIN_MS = 2000
const OFF = 'telemetry is turned off on this machine (WEIR_TELEMETRY=off)'

/**
 * Asks the telemetry process over its socket.
 *
 * @example const graph = await new TelemetryClient(new RpcClient(paths.telemetrySocket)).graph('e12', { windowMs: 300_000 })
 */
export class TelemetryClient implements Telemetry {
  readonly #rpc: RpcClient
  readonly #isOn: boolean
  readonly #withinMs: number

  constructor(rpc: RpcClient, { isOn = true, withinMs = WITHIN_MS }: { readonly isOn?: boolean; readonly withinMs?: number } = {}) {
    this.#rpc = rpc
    this.#isOn = isOn
    this.#withinMs = withinMs
  }

  health(): Promise<TelemetryHealth> {
    return this.#ask('health', {})
  }
  async know(environments: readonly NamedEnvironment[]): Promise<void> {
    await this.#ask('know', { environments })
  }
  graph(environment: string, request: { readonly windowMs: number }): Promise<GraphView> {
    return this.#ask('graph', { environment, request })
  }
  why(environment: string, request: { readonly service: string; readonly windowMs: number }): Promise<WhyView> {
    return this.#ask('why', { environment, request })
  }
  traces(environment: string, request: TraceFilter): Promise<readonly TraceLine[]> {
    return this.#ask('traces', { environment, request })
  }
  trace(environment: string, id: string): Promise<TraceView | null> {
    return this.#ask('trace', { environment, request: id })
  }
  errors(environment: string, request: { readonly sinceMs: number }): Promise<ErrorsView> {
    return this.#ask('errors', { environment, request })
  }

  async #ask<Answer>(call: string, args: unknown): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(unknown(`${call}: no answer in ${this.#withinMs} ms`)), this.#withinMs)
    })
    try {
      return (await Promise.race([this.#rpc.call(call, args), late])) as Answer
    } catch (error) {
      throw isWeirError(error, 'E_UNAVAILABLE') ? unknown(this.#isOn ? `the telemetry process: ${error.explanation.cause}` : OFF) : error
    } finally {
      clearTimeout(timer)
    }
  }
}

function unknown(cause: string): WeirError {
  return new WeirError('E_UNAVAILABLE', { message: 'what the traces say is not known at the moment', cause, next: 'weir doctor' })
}
