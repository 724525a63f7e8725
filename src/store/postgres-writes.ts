import { randomUUID } from 'node:crypto'
import type { Sealer } from '../secrets/sealer.ts'
import { type AuditRecord, recordAudit } from './audit.ts'
import type { Change, PublicPorts } from './change.ts'
import type { Database } from './database.ts'
import { claimKey, keepAnswer } from './idempotency.ts'
import { createAccount, createTenant, createToken, revokeToken, setPassword, setRegistration, setRole } from './write-accounts.ts'
import { removeSecret, setCredential, setObjectives, setSecret, setVariables } from './write-configuration.ts'
import { addCommand, createRelease, ensureEnvironment, follow, recordExec, unfollow } from './write-environments.ts'
import { addNotifyTarget, removeNotifyTarget, setNotifyReach, tryNotifyTarget } from './write-notifications.ts'
import type { Answer, WriteRequest, Writer, Writes } from './writes.ts'

export const PUBLIC_PORTS: PublicPorts = { first: 8_100, last: 9_999 }

/** What people change, on PostgreSQL. See `Writes`. */
export class PostgresWrites implements Writes {
  readonly #database: Database
  readonly #sealer: Sealer
  readonly #publicPorts: PublicPorts

  constructor(database: Database, sealer: Sealer, publicPorts: PublicPorts = PUBLIC_PORTS) {
    this.#database = database
    this.#sealer = sealer
    this.#publicPorts = publicPorts
  }

  transaction(request: WriteRequest, work: (write: Writer) => Promise<Answer>): Promise<Answer & { readonly replayed: boolean }> {
    const id = randomUUID()
    return this.#database.transaction(
      async (query) => {
        const stored = await claimKey(query, this.#sealer, request)
        if (stored) return { ...stored, replayed: true }
        const records: AuditRecord[] = []
        const change: Change = { query, by: request.by, sealer: this.#sealer, publicPorts: this.#publicPorts, audit: (record) => records.push(record) }
        const answer = await work(writerOf(change))
        await keepAnswer(query, this.#sealer, request, answer)
        await recordAudit(query, request.by, records, id)
        return { ...answer, replayed: false }
      },
      async (query) => (await query.rows('select 1 from audit where request = $1 limit 1', [id])).length === 1,
    )
  }
}

function writerOf(change: Change): Writer {
  return {
    createTenant: (name) => createTenant(change, name),
    createAccount: (account) => createAccount(change, account),
    setPassword: (account, hash) => setPassword(change, account, hash),
    setRole: (tenant, account, role) => setRole(change, tenant, account, role),
    setRegistration: (open) => setRegistration(change, open),
    createToken: (token) => createToken(change, token),
    revokeToken: (owner, id) => revokeToken(change, owner, id),
    ensureEnvironment: (ref) => ensureEnvironment(change, ref),
    createRelease: (ref, release) => createRelease(change, ref, release),
    addCommand: (ref, command) => addCommand(change, ref, command),
    recordExec: (ref, session) => recordExec(change, ref, session),
    setVariables: (ref, service, variables) => setVariables(change, ref, service, variables),
    setObjectives: (ref, service, objectives) => setObjectives(change, ref, service, objectives),
    setSecret: (ref, name, value) => setSecret(change, ref, name, value),
    removeSecret: (ref, name) => removeSecret(change, ref, name),
    follow: (ref, branch) => follow(change, ref, branch),
    unfollow: (ref, id) => unfollow(change, ref, id),
    setCredential: (tenant, kind, urlPrefix, value) => setCredential(change, tenant, kind, urlPrefix, value),
    addNotifyTarget: (tenant, target) => addNotifyTarget(change, tenant, target),
    removeNotifyTarget: (tenant, id) => removeNotifyTarget(change, tenant, id),
    tryNotifyTarget: (tenant, id, message) => tryNotifyTarget(change, tenant, id, message),
    setNotifyReach: (reach) => setNotifyReach(change, reach),
  }
}
