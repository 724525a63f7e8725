import { WeirError } from '../errors.ts'
import type { EnvironmentRef } from '../store/queries.ts'

/** Another tenant's things are not found, like things that are not there. */
export function found<T>(thing: T | null | undefined, name: string, next = 'weir list'): T {
  if (thing === null || thing === undefined) throw new WeirError('E_NOT_FOUND', { message: `no ${name}`, next })
  return thing
}

export function refOf(call: { readonly tenant: string; readonly params: { readonly app: string; readonly environment: string } }): EnvironmentRef {
  return { tenant: call.tenant, app: call.params.app, environment: call.params.environment }
}

export function labelOf(ref: EnvironmentRef): string {
  return `environment ${ref.app}/${ref.environment}`
}

/** A page of what is at hand as a whole; the cursor is the last item's key. `items` are sorted by it. */
export function pageOf<T>(
  items: readonly T[],
  key: (item: T) => string,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
): { items: T[]; cursor: string | null } {
  const rest = cursor === undefined ? items : items.filter((item) => key(item) > cursor)
  const page = rest.slice(0, limit)
  return { items: page, cursor: rest.length > limit ? key(page[page.length - 1] as T) : null }
}

export function pageRequest({ limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined }): { limit: number; cursor: string | null } {
  return { limit, cursor: cursor ?? null }
}
