import { WeirError } from '../errors.ts'
import type { Handlers } from '../rpc/server.ts'
import type { NamedEnvironment, Telemetry, TraceFilter } from './telemetry.ts'

/** `Telemetry` as the calls of the process's socket. */
export function handlersOf(telemetry: Telemetry): Handlers {
  return {
    health: () => telemetry.health(),
    know: ({ environments }: { environments: readonly NamedEnvironment[] }) => telemetry.know(environments),
    graph: ({ environment, request }: About<{ windowMs: number }>) => telemetry.graph(environment, request),
    why: ({ environment, request }: About<{ service: string; windowMs: number }>) => telemetry.why(environment, request),
    traces: ({ environment, request }: About<TraceFilter>) => telemetry.traces(environment, request),
    trace: ({ environment, request }: About<string>) => telemetry.trace(environment, request),
    errors: ({ environment, request }: About<{ sinceMs: number }>) => telemetry.errors(environment, request),
  }
}

interface About<Request> {
  readonly environment: string
  readonly request: Request
}

/** `e12` → 12: the window and the store know environments by number. */
export function scopeOf(environment: string): number {
  const match = /^e([1-9]\d{0,8})$/.exec(environment)
  if (!match) throw new WeirError('E_USAGE', { message: 'not the id of an environment', cause: JSON.stringify(environment).slice(0, 80) })
  return Number(match[1])
}
