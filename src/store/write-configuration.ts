import type { Configuration } from '../core/model/release.ts'
import type { ObjectiveName } from '../core/objectives/status.ts'
import { WeirError } from '../errors.ts'
import { type Change, checked, checkUrl, environmentId, labelOf, notFound } from './change.ts'
import { storable } from './json.ts'
import type { EnvironmentDetail, EnvironmentRef } from './queries.ts'

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/
/** It becomes a file name. */
const SECRET = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/
const LARGEST_VALUE = 64 * 1024

export async function setVariables(change: Change, ref: EnvironmentRef, service: string, variables: Readonly<Record<string, string | null>>): Promise<void> {
  for (const [name, value] of Object.entries(variables)) {
    if (!VARIABLE.test(name))
      throw new WeirError('E_NAME', {
        message: `${JSON.stringify(name)} is not a name for an environment variable`,
        next: 'letters, digits and _, not starting with a digit',
      })
    if (value !== null && (value.length > LARGEST_VALUE || value.includes('\0')))
      throw new WeirError('E_USAGE', { message: `the value of ${name} is over 64 KiB or has a NUL in it` })
  }
  const [row] = await change.query.rows<{ id: string; variables: Configuration['environment'] }>(
    'select id, variables from environments where tenant = $1 and app = $2 and name = $3 and removed_at is null for no key update',
    [ref.tenant, ref.app, ref.environment],
  )
  if (!row) throw notFound(`environment "${ref.environment}" of app "${ref.app}"`)
  const ofService = Object.entries({ ...row.variables[service], ...variables }).filter(([, value]) => value !== null)
  const { [service]: _before, ...others } = row.variables
  const staged = ofService.length === 0 ? others : { ...others, [service]: Object.fromEntries(ofService) }
  await change.query.rows('update environments set variables = $2, revision = revision + 1, updated_at = now() where id = $1', [row.id, storable(staged)])
  change.audit({ tenant: ref.tenant, action: 'variables.set', target: labelOf(ref), detail: { service, names: Object.keys(variables) } })
}

export async function setObjectives(
  change: Change,
  ref: EnvironmentRef,
  service: string,
  objectives: Readonly<Partial<Record<ObjectiveName, number | null>>>,
): Promise<void> {
  const [row] = await change.query.rows<{ id: string; objectives: EnvironmentDetail['objectives'] }>(
    'select id, objectives from environments where tenant = $1 and app = $2 and name = $3 and removed_at is null for no key update',
    [ref.tenant, ref.app, ref.environment],
  )
  if (!row) throw notFound(`environment "${ref.environment}" of app "${ref.app}"`)
  const ofService = Object.entries({ ...row.objectives[service], ...objectives }).filter(([, value]) => value !== null)
  const { [service]: _before, ...others } = row.objectives
  const all = ofService.length === 0 ? others : { ...others, [service]: Object.fromEntries(ofService) }
  await change.query.rows('update environments set objectives = $2, revision = revision + 1, updated_at = now() where id = $1', [row.id, storable(all)])
  change.audit({ tenant: ref.tenant, action: 'objectives.set', target: `${labelOf(ref)} ${service}`, detail: { ...objectives } })
}

export async function setSecret(change: Change, ref: EnvironmentRef, name: string, value: Uint8Array): Promise<number> {
  if (!SECRET.test(name))
    throw new WeirError('E_NAME', { message: 'that is not a name for a secret', next: 'letters, digits, - and _, starting with a letter, at most 64' })
  if (value.length > LARGEST_VALUE) throw new WeirError('E_TOO_LARGE', { message: `the value of secret ${name} is over 64 KiB` })
  const environment = await environmentId(change, ref)
  await change.query.rows('select 1 from environments where id = $1 for no key update', [environment])
  const [row] = await change.query.rows<{ next: number }>('select coalesce(max(version), 0) + 1 as next from secrets where environment = $1 and name = $2', [
    environment,
    name,
  ])
  const version = row?.next ?? 1
  const sealed = change.sealer.seal(value, secretContext(ref.tenant, environment, name, version))
  await change.query.rows('insert into secrets (environment, name, version, sealed, by) values ($1, $2, $3, $4, $5)', [
    environment,
    name,
    version,
    sealed,
    change.by,
  ])
  change.audit({ tenant: ref.tenant, action: 'secret.set', target: `${labelOf(ref)} ${name}`, detail: { version } })
  return version
}

/** Releases made with it keep their version; the next one has none. */
export async function removeSecret(change: Change, ref: EnvironmentRef, name: string): Promise<void> {
  const environment = await environmentId(change, ref)
  const rows = await change.query.rows('update secrets set removed_at = now() where environment = $1 and name = $2 and removed_at is null returning 1', [
    environment,
    name,
  ])
  if (rows.length === 0) throw notFound(`secret "${name}"`)
  change.audit({ tenant: ref.tenant, action: 'secret.remove', target: `${labelOf(ref)} ${name}`, detail: {} })
}

export async function setCredential(
  change: Change,
  tenant: string,
  kind: 'token' | 'deploy-key' | 'known-hosts',
  urlPrefix: string,
  value: Uint8Array | null,
): Promise<void> {
  checkUrl(urlPrefix)
  if (value === null) {
    const rows = await change.query.rows('delete from credentials where tenant = $1 and kind = $2 and url_prefix = $3 returning 1', [tenant, kind, urlPrefix])
    if (rows.length === 0) throw notFound(`${kind} for ${urlPrefix}`)
  } else {
    if (value.length > LARGEST_VALUE) throw new WeirError('E_TOO_LARGE', { message: `the ${kind} is over 64 KiB` })
    const sealed = change.sealer.seal(value, credentialContext(tenant, kind, urlPrefix))
    const upsert = change.query.rows(
      `insert into credentials (tenant, kind, url_prefix, sealed, by) values ($1, $2, $3, $4, $5)
       on conflict (tenant, kind, url_prefix) do update set sealed = excluded.sealed, by = excluded.by, created_at = now()`,
      [tenant, kind, urlPrefix, sealed, change.by],
    )
    await checked(upsert, { credentials_tenant_fkey: () => notFound(`tenant "${tenant}"`) })
  }
  change.audit({ tenant, action: value === null ? 'credential.remove' : 'credential.set', target: urlPrefix, detail: { kind } })
}

export function secretContext(tenant: string, environment: string, name: string, version: number): readonly string[] {
  return ['secret', tenant, environment, name, String(version)]
}
export function credentialContext(tenant: string, kind: string, urlPrefix: string): readonly string[] {
  return ['credential', tenant, kind, urlPrefix]
}
