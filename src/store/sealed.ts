import type { Sealer } from '../secrets/sealer.ts'
import { Secret } from '../secrets/secret.ts'
import type { Query } from './database.ts'
import { credentialContext, secretContext } from './write-configuration.ts'

export type CredentialKind = 'token' | 'deploy-key' | 'known-hosts'

/**
 * The only way values of secrets leave the store: for the driver that hands them to a process, and for reading a repository. Never part
 * of `Queries`: no request of a person ends here.
 */
export class SealedValues {
  readonly #query: Query
  readonly #sealer: Sealer

  constructor(query: Query, sealer: Sealer) {
    this.#query = query
    this.#sealer = sealer
  }

  /** Value of a secret's version in an environment (`e12`); null: there is none. */
  async secret(environment: string, name: string, version: number): Promise<Secret | null> {
    const [row] = await this.#query.rows<{ tenant: string; sealed: Buffer }>(
      'select e.tenant, s.sealed from secrets s join environments e on e.id = s.environment where s.environment = $1 and s.name = $2 and s.version = $3',
      [environment, name, version],
    )
    return row ? new Secret(this.#sealer.open(row.sealed, secretContext(row.tenant, environment, name, version))) : null
  }

  /** What the tenant keeps for the longest prefix of `url`, on a border (`/`, `:` or the end); null: nothing. */
  async credential(tenant: string, kind: CredentialKind, url: string): Promise<Secret | null> {
    const rows = await this.#query.rows<{ prefix: string; sealed: Buffer }>(
      `select url_prefix as prefix, sealed from credentials where tenant = $1 and kind = $2 and starts_with($3, url_prefix) order by length(url_prefix) desc`,
      [tenant, kind, url],
    )
    const best = rows.find(({ prefix }) => url.length === prefix.length || /[/:]$/.test(prefix) || /^[/:]/.test(url.slice(prefix.length)))
    return best ? new Secret(this.#sealer.open(best.sealed, credentialContext(tenant, kind, best.prefix))) : null
  }
}
