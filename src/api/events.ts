import { setTimeout as pause } from 'node:timers/promises'
import type { EventView } from '../../packages/client/src/types.ts'
import { WeirError } from '../errors.ts'
import type { Principal } from '../identity/principal.ts'
import type { EventFilter, StoredEvent } from '../store/queries.ts'
import { found, pageRequest } from './found.ts'
import type { Call, Handlers, ServerEvent } from './route.ts'

/** Hints may be lost: it is looked anyway this often. */
const LOOK_MS = 2_000
const BATCH = 200

export const events: Handlers<'events.list' | 'events.follow'> = {
  'events.list': async (call) => {
    const filter = await filterOf(call)
    const { items, cursor } = await call.ports.queries.newestEvents(filter, pageRequest(call.query))
    return { items: items.map(eventView), cursor }
  },
  'events.follow': async (call) => {
    const filter = await filterOf(call)
    const after = sequenceOf(call.headers['last-event-id']) ?? (await call.ports.queries.lastEvent())
    return follow(call, filter, after)
  },
}

async function* follow({ ports, signal }: Call<'events.follow'>, filter: EventFilter, after: number): AsyncGenerator<ServerEvent<EventView>> {
  let wake = new AbortController()
  const stop = ports.eventsChanged(() => wake.abort())
  try {
    for (let last = after; !signal.aborted; ) {
      wake = new AbortController() // before looking, so that a hint in between is not missed
      const rows = await ports.queries.events(filter, last, BATCH)
      for (const row of rows) {
        yield { event: row.kind, id: String(row.seq), data: eventView(row) }
        last = row.seq
      }
      if (rows.length < BATCH) await pause(LOOK_MS, undefined, { signal: AbortSignal.any([wake.signal, signal]) }).catch(() => {})
    }
  } finally {
    stop()
  }
}

/** What a token is bound to narrows what it hears; what it asks beyond that is refused, not silently cut. */
async function filterOf({
  principal,
  tenant,
  query,
  ports,
}: {
  readonly principal: Principal | null
  readonly tenant: string
  readonly query: { readonly app?: string | undefined; readonly environment?: string | undefined }
  readonly ports: Call<'events.list'>['ports']
}): Promise<EventFilter> {
  const { app, environment } = query
  if (app === undefined && environment !== undefined)
    throw new WeirError('E_USAGE', { message: 'an environment is one of an app', cause: '`environment` was given without `app`' })
  const place = principal?.environment
  if (place) {
    const [boundApp = '', boundEnvironment = ''] = place.split('/')
    if ((app ?? boundApp) !== boundApp || (environment ?? boundEnvironment) !== boundEnvironment)
      throw new WeirError('E_FORBIDDEN', { message: 'this token may not do that', cause: `it works in ${place} only` })
    return { tenant, app: boundApp, environment: boundEnvironment }
  }
  if (app !== undefined) {
    const environments = found(await ports.queries.environments(tenant, app), `app ${app}`)
    if (environment !== undefined)
      found(
        environments.find((it) => it.environment === environment),
        `environment ${app}/${environment}`,
      )
  }
  return { tenant, app: app ?? null, environment: environment ?? null }
}

function sequenceOf(text: string | string[] | undefined): number | null {
  if (text === undefined || text === '') return null
  if (!/^\d{1,15}$/.test(String(text)))
    throw new WeirError('E_USAGE', { message: 'the Last-Event-ID is none of these events', cause: String(text).slice(0, 50) })
  return Number(text)
}

function eventView({ seq, at, kind, text, app, environment, service, release, data }: StoredEvent): EventView {
  return { id: seq, at, kind, text, app, environment, service, release, data: { ...data } }
}
