import type { ReleaseKey } from '../controllers/journal.ts'
import type { AppGraph } from '../core/model/app-graph.ts'
import type { SourceRef } from '../core/model/release.ts'
import type { Message } from '../core/notify/message.ts'
import type { ObjectiveName } from '../core/objectives/status.ts'
import type { Command } from '../core/rollout/state.ts'
import type { Role, TenantVerb } from '../identity/principal.ts'
import type { NewTarget } from '../notify/target.ts'
import type { Reach } from '../reach.ts'
import type { EnvironmentRef } from './queries.ts'

/**
 * What people may change. One request is one transaction: all that `work` writes, an audit record for each of it, the idempotency record
 * with the answer, and the hint to whoever waits for the change, or nothing of it. Nothing is acknowledged before its commit.
 *
 * @example
 * const answer = await writes.transaction({ by: 'ann', scope: 'token:7', idempotency: { key, fingerprint } }, async (write) => {
 *   await write.ensureEnvironment(ref)
 *   const release = await write.createRelease(ref, { source, manifest: null, whenBusy: 'wait' })
 *   return { status: 202, body: { release: release.number } }
 * })
 */
export interface Writes {
  /**
   * Runs `work` once per (scope, idempotency key) within 24 h; a repeated request gets the stored answer without running it, one with
   * another fingerprint `E_IDEMPOTENCY`, and one that comes while the first still runs waits for it. An error in `work` undoes everything
   * and is not remembered. `work` may run again after a serialization failure: no effects in it but `write`'s.
   */
  transaction(request: WriteRequest, work: (write: Writer) => Promise<Answer>): Promise<Answer & { readonly replayed: boolean }>
}

export interface WriteRequest {
  /** As people read it in history and audit: `principal.name`. */
  readonly by: string
  /** Whose idempotency keys these are: `principal.id`. */
  readonly scope: string
  /** `fingerprint`: a hash of method, path and body. null: the request carries no key. */
  readonly idempotency: { readonly key: string; readonly fingerprint: string } | null
}
/** Stored sealed, because it may carry a token that is shown once. `body` is JSON. */
export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** Methods throw `E_NOT_FOUND` for what is not there or another tenant's, `E_CONFLICT` for what exists, `E_NAME` for names that cannot be. */
export interface Writer {
  createTenant(name: string): Promise<void>
  /** `passwordHash` from identity/password.ts; null: it cannot log in by password. */
  createAccount(account: { readonly name: string; readonly passwordHash: string | null; readonly admin: boolean }): Promise<void>
  /** Ends the account's log-ins too; tokens made for programs stay. */
  setPassword(account: string, passwordHash: string): Promise<void>
  /** null takes the account out of the tenant; its tokens lose what they could do there at once. */
  setRole(tenant: string, account: string, role: Role | null): Promise<void>
  setRegistration(open: boolean): Promise<void>

  /** `hash` from identity/token.ts; `expiresInMs` at most 90 days, else `E_USAGE`. Returns the token's id. */
  createToken(token: NewToken): Promise<number>
  /** `tenant: null` finds the account's own tokens that are bound to no tenant (log-ins). */
  revokeToken(owner: { readonly tenant: string } | { readonly account: string }, id: number): Promise<void>

  /** Makes app and environment when they are missing; one that was removed without its data comes back with its id and its data. */
  ensureEnvironment(ref: EnvironmentRef): Promise<{ readonly id: string; readonly created: boolean }>
  /** Next number of the environment; takes the staged variables and the secrets' versions of this moment. */
  createRelease(ref: EnvironmentRef, release: NewRelease): Promise<ReleaseKey>
  /** `deploy` commands are made by Weir itself when the release is ready; all others come from here. Returns the id for `queries.command`. */
  addCommand(ref: EnvironmentRef, command: Exclude<Command, { kind: 'deploy' }>): Promise<number>

  /** Somebody is let into a running replica. What they type and see there is not kept. */
  recordExec(ref: EnvironmentRef, session: { readonly service: string; readonly replica: string; readonly argv: readonly string[] }): Promise<void>

  /** Staged for the next release. service `*`: all services. A null value takes the variable away. */
  setVariables(ref: EnvironmentRef, service: string, variables: Readonly<Record<string, string | null>>): Promise<void>
  /** Goals of a service that win over the manifest's, in force at once. null takes one back to what the manifest says. */
  setObjectives(ref: EnvironmentRef, service: string, objectives: Readonly<Partial<Record<ObjectiveName, number | null>>>): Promise<void>
  /** Sealed before it is written. Returns the new version, which the next release takes. */
  setSecret(ref: EnvironmentRef, name: string, value: Uint8Array): Promise<number>
  removeSecret(ref: EnvironmentRef, name: string): Promise<void>

  /** A followed branch gives one release per (repository, ref, commit). Following the same again is the same follow. */
  follow(ref: EnvironmentRef, branch: { readonly url: string; readonly ref: string; readonly path: string }): Promise<number>
  unfollow(ref: EnvironmentRef, id: number): Promise<void>
  /** What `weir` may use to read repositories whose url starts with `urlPrefix`; null forgets it. */
  setCredential(tenant: string, kind: 'token' | 'deploy-key' | 'known-hosts', urlPrefix: string, value: Uint8Array | null): Promise<void>

  /** Sealed before it is written. It is told of what happens from now on. Returns its id. */
  addNotifyTarget(tenant: string, target: NewTarget): Promise<number>
  removeNotifyTarget(tenant: string, id: number): Promise<void>
  /** Returns the id of the delivery, which is tried once. */
  tryNotifyTarget(tenant: string, id: number, message: Message): Promise<string>
  setNotifyReach(reach: Reach): Promise<void>
}

export interface NewToken {
  readonly hash: Uint8Array
  readonly label: string
  /** null: whatever tenants its account belongs to (a log-in). */
  readonly tenant: string | null
  readonly account: string | null
  /** `shop/production`; null: the whole tenant. */
  readonly environment: string | null
  /** null: all that the account may do (only with an account). */
  readonly verbs: readonly TenantVerb[] | null
  readonly expiresInMs: number
}

export interface NewRelease {
  readonly source: SourceRef
  readonly manifest: { readonly file: string; readonly text: string } | null
  readonly whenBusy: 'wait' | 'supersede'
  /** Though what it is made from was taken back here before. */
  readonly again?: boolean
  /** Without comparing it with what serves. */
  readonly forward?: boolean
}

/** Routes of a graph, as claimed when a release becomes ready: (host, path) belongs to one environment of the installation. */
export function routesOf(graph: AppGraph): readonly { readonly host: string | null; readonly path: string }[] {
  return Object.values(graph.services).flatMap((service) => service.routes.map(({ host, path }) => ({ host, path })))
}
