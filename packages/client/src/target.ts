/** What a caller gives a route; `types.ts` says what each route takes. */
export interface Given {
  readonly params?: unknown
  readonly query?: unknown
  readonly body?: unknown
}

/** Path with parameters and query filled in. */
export function targetOf(route: { readonly path: string }, request: Given): string {
  const params = (request.params ?? {}) as Record<string, unknown>
  const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])))
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(request.query ?? {})) if (value !== undefined && value !== null) query.append(name, String(value))
  const text = query.toString()
  return text === '' ? path : `${path}?${text}`
}
