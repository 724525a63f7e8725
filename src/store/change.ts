import { nameProblem } from '../core/model/names.ts'
import { WeirError } from '../errors.ts'
import type { Sealer } from '../secrets/sealer.ts'
import type { AuditRecord } from './audit.ts'
import type { Query } from './database.ts'
import { violated } from './database-error.ts'
import type { EnvironmentRef } from './queries.ts'

/** What the parts of a Writer share: the transaction, who asks, and the audit records that are appended at its end. */
export interface Change {
  readonly query: Query
  readonly by: string
  readonly sealer: Sealer
  readonly publicPorts: PublicPorts
  audit(record: AuditRecord): void
}

/** Ports for apps without routes: both ends included. */
export interface PublicPorts {
  readonly first: number
  readonly last: number
}

/** `shop/production` */
export function labelOf(ref: EnvironmentRef): string {
  return `${ref.app}/${ref.environment}`
}

export async function environmentId(change: Change, ref: EnvironmentRef): Promise<string> {
  const [row] = await change.query.rows<{ id: string }>('select id from environments where tenant = $1 and app = $2 and name = $3 and removed_at is null', [
    ref.tenant,
    ref.app,
    ref.environment,
  ])
  if (!row) throw notFound(`environment "${ref.environment}" of app "${ref.app}"`)
  return row.id
}

export function notFound(what: string): WeirError {
  return new WeirError('E_NOT_FOUND', { message: `there is no ${what}`, next: 'weir list' })
}

export function checkName(kind: string, name: string): void {
  const problem = nameProblem(name)
  if (problem !== null) throw new WeirError('E_NAME', { message: `the name of the ${kind} ${problem}` })
}

/** Addresses are stored and shown as they are: `https://user:token@…` would put a credential beside the vault. (`ssh://git@…` is a name only.) */
export function checkUrl(url: string): void {
  const userinfo = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)@/i.exec(url)
  if (userinfo && (userinfo[1]?.toLowerCase() !== 'ssh' || userinfo[2]?.includes(':'))) {
    throw new WeirError('E_SOURCE_URL', {
      message: 'the address carries a credential',
      state: 'nothing was stored',
      next: 'keep it sealed: weir credentials set',
    })
  }
}

/** Translates a violated constraint into what the caller did: `taken` for a unique one, `missing` for a foreign one. */
export async function checked<T>(write: Promise<T>, messages: Readonly<Record<string, () => WeirError>>): Promise<T> {
  try {
    return await write
  } catch (error) {
    const make = messages[violated(error) ?? '']
    throw make ? make() : error
  }
}
