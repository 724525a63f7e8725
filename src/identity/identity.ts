import { WeirError } from '../errors.ts'
import { hashPassword, passwordFits } from './password.ts'
import type { IdentityStore, Principal, Role, TenantVerb } from './principal.ts'
import { principalOf, verbsOf } from './roles.ts'
import { mintToken, tokenHash } from './token.ts'

/**
 * Who somebody is, by token or by name and password. Nothing is cached: a revoked token or a changed role counts from the next request on.
 *
 * @example const principal = await identity.authenticate('weir_…') // null: unknown, revoked or expired
 */
export class Identity {
  readonly #store: IdentityStore

  constructor(store: IdentityStore) {
    this.#store = store
  }

  async authenticate(secret: string): Promise<Principal | null> {
    const hash = tokenHash(secret)
    const token = hash && (await this.#store.token(hash))
    return token && principalOf(token)
  }

  /** Ten attempts a minute an account, over all servers; more is `E_RATE`, right or wrong. */
  async verifyPassword(name: string, password: string): Promise<boolean> {
    if (!(await this.#store.attemptLogin(name))) {
      throw new WeirError('E_RATE', { message: 'too many attempts to log in', cause: 'an account has ten a minute', next: 'wait a minute' })
    }
    return passwordFits(password, await this.#store.passwordHash(name))
  }

  hashPassword(password: string): Promise<string> {
    return hashPassword(password)
  }
  mintToken(): { readonly secret: string; readonly hash: Uint8Array } {
    return mintToken()
  }
  verbsOf(role: Role): readonly TenantVerb[] {
    return verbsOf(role)
  }
}
