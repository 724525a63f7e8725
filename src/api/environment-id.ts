import { found, labelOf, refOf } from './found.ts'
import type { ApiPorts } from './ports.ts'

/** The id by which telemetry knows an environment; another tenant's is not found. */
export async function environmentId(call: {
  readonly tenant: string
  readonly params: { readonly app: string; readonly environment: string }
  readonly ports: Pick<ApiPorts, 'queries'>
}): Promise<string> {
  const ref = refOf(call)
  return found(await call.ports.queries.environment(ref), labelOf(ref)).id
}
