import type { BesideEvidence, BesideRequest } from '../../controllers/beside.ts'
import type { CustomIndicator } from '../../core/canary/analysis.ts'
import type { Clock } from '../../core/model/world.ts'

/** So often an indicator is asked for, however often somebody looks. */
const EVERY_MS = 5_000
/** An older figure says nothing about now. */
const STALE_MS = 30_000

type Figure = BesideEvidence['custom'][number]

export interface CustomParts {
  readonly clock: Clock
  /** JSON from an address; throws with a sentence for people. */
  readonly fetch: (request: BesideRequest, url: string) => Promise<unknown>
  /** The one figure that a query of a database of the app answers with. */
  readonly query: (request: BesideRequest, resource: string, query: string) => Promise<number>
}

/**
 * The team's own indicators. `${release}` in an address or a query is the release whose figure is wanted, as `v43`: the new one and, for
 * comparison, the one that serves. Without it there is one figure, and it is the new release's.
 *
 * @example const custom = customIndicators({ clock, fetch }); await custom(request) // [{ name: 'orders', canary: 0.4, stable: 3.1, problem: null }]
 */
export function customIndicators({ clock, ...places }: CustomParts): (request: BesideRequest) => Promise<BesideEvidence['custom']> {
  const kept = new Map<string, { readonly atMs: number; readonly figure: Promise<Figure> }>()
  return (request) => {
    const nowMs = clock.monotonic()
    for (const [key, { atMs }] of kept) if (nowMs - atMs > STALE_MS) kept.delete(key)
    return Promise.all(
      request.custom.map((indicator) => {
        const key = `${request.id} ${request.rollout} ${indicator.name}`
        let present = kept.get(key)
        if (!present || nowMs - present.atMs >= EVERY_MS) kept.set(key, (present = { atMs: nowMs, figure: figureOf(indicator, request, places) }))
        return present.figure
      }),
    )
  }
}

async function figureOf(indicator: CustomIndicator, request: BesideRequest, places: Omit<CustomParts, 'clock'>): Promise<Figure> {
  const { name, source } = indicator
  const releases = request.services[0]
  const text = source.kind === 'sql' ? source.query : source.kind === 'promql' ? source.query + source.url : source.url
  const isCompared = text.includes('${release}') && releases?.stable != null
  try {
    const of = (release: number | null) => askedOf(indicator, request, release, places)
    const [canary, stable] = await Promise.all([of(releases?.canary ?? null), isCompared ? of(releases.stable) : null])
    return { name, canary, stable, problem: null }
  } catch (error) {
    return { name, canary: null, stable: null, problem: (error as Error).message }
  }
}

async function askedOf(
  { source }: CustomIndicator,
  request: BesideRequest,
  release: number | null,
  { fetch, query }: Omit<CustomParts, 'clock'>,
): Promise<number> {
  const filled = (text: string) => text.replaceAll('${release}', release === null ? '' : `v${release}`)
  switch (source.kind) {
    case 'promql': {
      const address = `${filled(source.url).replace(/\/+$/, '')}/api/v1/query?query=${encodeURIComponent(filled(source.query))}`
      return numberIn(prometheusFigure(await fetch(request, address)))
    }
    case 'http-json':
      return numberIn(at(await fetch(request, filled(source.url)), source.path))
    case 'sql':
      return query(request, source.resource, filled(source.query))
  }
}

function numberIn(found: unknown): number {
  const value = typeof found === 'string' && found.trim() !== '' ? Number(found) : found
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Error('the answer has no figure there')
  return value
}

/** A scalar, or the one sample of a vector. */
function prometheusFigure(answer: unknown): unknown {
  const { resultType, result } = (at(answer, 'data') ?? {}) as { readonly resultType?: unknown; readonly result?: unknown }
  if (resultType === 'scalar') return at(result, '1')
  if (resultType !== 'vector' || !Array.isArray(result)) throw new Error('the query does not answer with one figure')
  if (result.length !== 1) throw new Error(result.length === 0 ? 'the query finds nothing' : `the query answers with ${result.length} figures`)
  return at(result[0], 'value.1')
}

/** `data.rate`, or a JSON pointer: `/data/rate`. */
function at(value: unknown, path: string): unknown {
  const steps = path.startsWith('/')
    ? path
        .slice(1)
        .split('/')
        .map((it) => it.replaceAll('~1', '/').replaceAll('~0', '~'))
    : path.split('.')
  let found = value
  for (const step of steps.filter((it) => it !== '')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined
    found = (found as Record<string, unknown>)[step]
  }
  return found
}
