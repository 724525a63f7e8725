import type { ReleaseKey } from '../controllers/journal.ts'
import { type Command, type EnvironmentState, INITIAL_STATE } from '../core/rollout/state.ts'
import { WeirError } from '../errors.ts'
import { type Change, checked, checkName, checkUrl, environmentId, labelOf, notFound } from './change.ts'
import { storable } from './json.ts'
import { insertRelease } from './new-release.ts'
import type { EnvironmentRef } from './queries.ts'
import type { NewRelease } from './writes.ts'

export async function ensureEnvironment(change: Change, ref: EnvironmentRef): Promise<{ readonly id: string; readonly created: boolean }> {
  checkName('app', ref.app)
  checkName('environment', ref.environment)
  const find = () =>
    change.query.rows<{ id: string; removed: boolean; state: EnvironmentState }>(
      'select id, removed_at is not null as removed, state from environments where tenant = $1 and app = $2 and name = $3',
      [ref.tenant, ref.app, ref.environment],
    )
  let [present] = await find()
  if (present && !present.removed) return { id: present.id, created: false }

  // one at a time: two that make the same find each other's, two that make different ones get different ports
  await change.query.rows('select pg_advisory_xact_lock(hashtext($1))', ['weir environments'])
  ;[present] = await find()
  if (present && !present.removed) return { id: present.id, created: false }
  const port = await freePort(change)
  const id = present ? await revive(change, present.id, present.state, port) : await insert(change, ref, port)
  change.audit({ tenant: ref.tenant, action: 'environment.create', target: labelOf(ref), detail: { id, port } })
  await change.query.rows('select pg_notify($1, $2)', ['weir', `env:${id}`])
  return { id, created: true }
}

async function insert(change: Change, ref: EnvironmentRef, port: number): Promise<string> {
  const app = change.query.rows('insert into apps (tenant, name) values ($1, $2) on conflict (tenant, name) do nothing', [ref.tenant, ref.app])
  await checked(app, { apps_tenant_fkey: () => notFound(`tenant "${ref.tenant}"`) })
  const [row] = await change.query.rows<{ id: string }>('insert into environments (tenant, app, name, port, state) values ($1, $2, $3, $4, $5) returning id', [
    ref.tenant,
    ref.app,
    ref.environment,
    port,
    storable(INITIAL_STATE),
  ])
  return row?.id ?? ''
}

/** The data it left is found under its id. What names things for ever (replicas, rollouts, table versions) goes on counting. */
async function revive(change: Change, id: string, { nextSerial, nextRollout, table }: EnvironmentState, port: number): Promise<string> {
  const state: EnvironmentState = { ...INITIAL_STATE, nextSerial, nextRollout, table: table && { ...table, digest: '' } }
  await change.query.rows(
    `update environments set removed_at = null, port = $2, state = $3, named = '{}', revision = revision + 1, current = null, rollout = null, rollout_target = null,
       rollout_phase = null, rollout_weight = null, status = 'new', services = 0, replicas = 0, updated_at = now() where id = $1`,
    [id, port, storable(state)],
  )
  return id
}

async function freePort(change: Change): Promise<number> {
  const { first, last } = change.publicPorts
  const [row] = await change.query.rows<{ port: number }>(
    'select p as port from generate_series($1::int, $2::int) p where not exists (select from environments where port = p) order by p limit 1',
    [first, last],
  )
  if (!row)
    throw new WeirError('E_CONFLICT', {
      message: 'no public port is free',
      cause: `${first} to ${last} are all given to environments`,
      next: 'weir remove an app that is not needed',
    })
  return row.port
}

export async function createRelease(change: Change, ref: EnvironmentRef, release: NewRelease): Promise<ReleaseKey> {
  if (release.source.kind === 'git') checkUrl(release.source.url)
  const environment = await environmentId(change, ref)
  const key = await insertRelease(change.query, environment, { ...release, by: change.by, followed: null })
  if (!key) throw notFound(`environment "${ref.environment}"`)
  change.audit({
    tenant: ref.tenant,
    action: 'release.create',
    target: `${labelOf(ref)} v${key.number}`,
    detail: { source: release.source, ...(release.again ? { again: true } : {}), ...(release.forward ? { forward: true } : {}) },
  })
  return key
}

export async function addCommand(change: Change, ref: EnvironmentRef, command: Command): Promise<number> {
  const environment = await environmentId(change, ref)
  const [row] = await change.query.rows<{ id: number }>('insert into commands (environment, command, by) values ($1, $2, $3) returning id', [
    environment,
    storable(command),
    change.by,
  ])
  await change.query.rows('select pg_notify($1, $2)', ['weir', `env:${environment}`])
  change.audit({ tenant: ref.tenant, action: `command.${command.kind}`, target: labelOf(ref), detail: { ...command } })
  return row?.id ?? 0
}

export async function recordExec(
  change: Change,
  ref: EnvironmentRef,
  session: { readonly service: string; readonly replica: string; readonly argv: readonly string[] },
): Promise<void> {
  await environmentId(change, ref)
  change.audit({ tenant: ref.tenant, action: 'exec.open', target: labelOf(ref), detail: { ...session } })
}

export async function follow(
  change: Change,
  ref: EnvironmentRef,
  branch: { readonly url: string; readonly ref: string; readonly path: string },
): Promise<number> {
  checkUrl(branch.url)
  const environment = await environmentId(change, ref)
  const [row] = await change.query.rows<{ id: number }>(
    'insert into follows (environment, url, ref, path) values ($1, $2, $3, $4) on conflict (environment, url, ref, path) do update set problem = null returning id',
    [environment, branch.url, branch.ref, branch.path],
  )
  await change.query.rows("select pg_notify('weir', 'follow')")
  change.audit({ tenant: ref.tenant, action: 'follow.create', target: labelOf(ref), detail: { ...branch } })
  return row?.id ?? 0
}

export async function unfollow(change: Change, ref: EnvironmentRef, id: number): Promise<void> {
  const environment = await environmentId(change, ref)
  const rows = await change.query.rows('delete from follows where id = $1 and environment = $2 returning 1', [id, environment])
  if (rows.length === 0) throw notFound(`followed branch ${id}`)
  change.audit({ tenant: ref.tenant, action: 'follow.remove', target: labelOf(ref), detail: { id } })
}
