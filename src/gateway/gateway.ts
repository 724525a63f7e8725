import type { Epoch } from '../core/model/epoch.ts'
import type { CounterBlock, ObservedTraffic, RoutingTable } from '../core/model/routing.ts'

/** What carries requests. `contract.ts` holds the suite that every gateway passes, the simulated one too. */
export interface Gateway {
  /**
   * Replaces the environment's part of the table. Returns once the gateway has it durably (fsync); workers acknowledge later, see `observe`.
   * An older version than the present one, or a lower epoch than seen, is refused with `E_STALE_EPOCH`.
   */
  publish(table: RoutingTable): Promise<void>
  /** Takes the environment out of the table; its listeners close once drained. */
  withdraw(environment: string, version: RoutingTable['version']): Promise<void>
  observe(environment: string): Promise<ObservedTraffic>
  /** Environments that have a table. */
  environments(): Promise<readonly string[]>
  /** Called when an acknowledgement, an in-flight count that fell to zero or a refusal may matter: a hint, may be lost. */
  watch(changed: (environment: string) => void): () => void
  /** Closed blocks not yet acknowledged, oldest first, at most `limit`. */
  counters(limit: number): Promise<readonly CounterBlock[]>
  /** The blocks are committed: the gateway may forget them. */
  acknowledgeCounters(blocks: readonly { readonly incarnation: string; readonly sequence: number }[]): Promise<void>
  fence(epoch: Epoch): Promise<void>
}
