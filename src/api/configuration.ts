import { createHash } from 'node:crypto'
import type { Variables } from '../../packages/client/src/types.ts'
import { WeirError } from '../errors.ts'
import type { StagedConfiguration } from '../store/queries.ts'
import { found, labelOf, pageOf, pageRequest, refOf } from './found.ts'
import { plain } from './release-view.ts'
import type { Handlers } from './route.ts'

type Ids =
  | 'variables.show'
  | 'variables.update'
  | 'secrets.list'
  | 'secrets.set'
  | 'secrets.remove'
  | 'credentials.list'
  | 'credentials.set'
  | 'credentials.remove'
  | 'follow.list'
  | 'follow.create'
  | 'follow.remove'

/** What an environment is configured with beside its manifest. Values of secrets and credentials go in and never come out. */
export const configuration: Handlers<Ids> = {
  'variables.show': async (call) => {
    const ref = refOf(call)
    const view = variablesView(found(await call.ports.queries.configuration(ref), labelOf(ref)))
    call.setHeader('etag', view.etag)
    return view
  },
  'variables.update': async (call) => {
    const ref = refOf(call)
    const { service, set, unset } = call.body
    const both = unset.filter((key) => Object.hasOwn(set, key))
    if (both.length > 0) throw new WeirError('E_USAGE', { message: `${both.join(', ')} cannot be set and unset at once` })
    const changes = { ...set, ...Object.fromEntries(unset.map((key) => [key, null])) }
    return call.write(async (writer) => {
      const before = found(await call.ports.queries.configuration(ref), labelOf(ref))
      refuseStale(call.headers['if-match'], variablesView(before).etag)
      await writer.setVariables(ref, service, changes)
      return variablesView(applied(before, service, changes))
    })
  },

  'secrets.list': async (call) => {
    const ref = refOf(call)
    const { secrets } = found(await call.ports.queries.configuration(ref), labelOf(ref))
    const sorted = [...secrets].sort((a, b) => (a.name < b.name ? -1 : 1))
    return pageOf(sorted, (it) => it.name, call.query)
  },
  'secrets.set': (call) => {
    const name = call.params.secret
    const value = Buffer.from(call.body.value, 'utf8')
    return call.write(async (writer) => ({ name, version: await writer.setSecret(refOf(call), name, value) }))
  },
  'secrets.remove': (call) =>
    call.write(async (writer) => {
      await writer.removeSecret(refOf(call), call.params.secret)
      return { ok: true }
    }),

  'credentials.list': async ({ tenant, query, ports }) => {
    const { items, cursor } = await ports.queries.credentials(tenant, pageRequest(query))
    return { items: [...items], cursor }
  },
  'credentials.set': ({ tenant, body, write }) =>
    write(async (writer) => {
      await writer.setCredential(tenant, body.kind, body.urlPrefix, Buffer.from(body.value, 'utf8'))
      return { ok: true }
    }),
  'credentials.remove': ({ tenant, query, write }) =>
    write(async (writer) => {
      await writer.setCredential(tenant, query.kind, query.urlPrefix, null)
      return { ok: true }
    }),

  'follow.list': async (call) => {
    const ref = refOf(call)
    found(await call.ports.queries.environment(ref), labelOf(ref))
    const follows = [...(await call.ports.queries.follows(ref))].sort((a, b) => a.id - b.id)
    return pageOf(follows, (it) => String(it.id).padStart(15, '0'), call.query)
  },
  'follow.create': (call) => {
    call.ports.checkGitSource({ ...call.body, commit: null })
    return call.write(async (writer) => ({ id: await writer.follow(refOf(call), call.body) }))
  },
  'follow.remove': (call) =>
    call.write(async (writer) => {
      await writer.unfollow(refOf(call), call.params.follow)
      return { ok: true }
    }),
}

function variablesView({ environment, current }: StagedConfiguration): Variables {
  const staged = plain(environment)
  const serving = plain(current?.environment ?? {})
  return { staged, current: serving, changed: canonical(staged) !== canonical(serving), etag: etagOf(staged) }
}

function applied(before: StagedConfiguration, service: string, changes: Readonly<Record<string, string | null>>): StagedConfiguration {
  const values = { ...before.environment[service], ...changes }
  const kept = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== null)
  return { ...before, environment: { ...before.environment, [service]: Object.fromEntries(kept) } }
}

/** By content: what was staged and taken back is the same again. */
function etagOf(staged: Variables['staged']): string {
  return `"${createHash('sha256').update(canonical(staged)).digest('hex').slice(0, 32)}"`
}

function canonical(variables: Variables['staged']): string {
  const sorted = (record: object) => Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(
    sorted(variables)
      .map(([service, values]) => [service, sorted(values as object)])
      .filter(([, values]) => (values as unknown[]).length > 0),
  )
}

function refuseStale(ifMatch: string | undefined, etag: string): void {
  if (ifMatch === undefined || ifMatch === '*') return
  const named = ifMatch.split(',').map((it) => it.trim())
  if (!named.includes(etag))
    throw new WeirError('E_CONFLICT', {
      message: 'the variables were changed meanwhile',
      cause: `If-Match names ${ifMatch.slice(0, 100)}, they are at ${etag}`,
      next: 'weir env',
    })
}
