import type { Topic } from '../core/notify/topics.ts'

/** What a target is sent by; all of it but the kind and what `shownPlace` says is sealed where it is kept. */
export type Address =
  | {
      readonly kind: 'webhook'
      readonly url: string
      /** What messages are signed with. */
      readonly secret: string
    }
  | {
      readonly kind: 'slack'
      /** Whoever has it may write there, so it is a secret as a whole. */
      readonly url: string
    }
  | {
      readonly kind: 'email'
      readonly host: string
      readonly port: number
      /** `tls`: from the first byte; `starttls`: before anything is said. Never in clear. */
      readonly security: 'tls' | 'starttls'
      readonly login: { readonly user: string; readonly password: string } | null
      readonly from: string
      readonly to: readonly string[]
    }

export interface NewTarget {
  /** null: all apps of the tenant. */
  readonly app: string | null
  /** null: all environments. */
  readonly environment: string | null
  readonly topics: readonly Topic[]
  readonly address: Address
}

/**
 * What of an address people see again.
 *
 * @example shownPlace({ kind: 'slack', url: 'https://hooks.slack.com/services/T0/B0/x' }) // 'hooks.slack.com'
 */
export function shownPlace(address: Address): string {
  if (address.kind !== 'email') return new URL(address.url).host
  return `${address.to.join(', ')} by ${address.host}:${address.port}`
}
