import type { Epoch } from '../core/model/epoch.ts'
import type { CounterBlock, ObservedTraffic, RoutingTable, TableVersion } from '../core/model/routing.ts'
import type { RpcClient } from '../rpc/client.ts'
import type { Gateway } from './gateway.ts'

/**
 * The gateway's processes, reached over their socket.
 *
 * @example const gateway = new GatewayClient(new RpcClient(paths.gatewaySocket)); await gateway.publish(table)
 */
export class GatewayClient implements Gateway {
  readonly #rpc: RpcClient

  constructor(rpc: RpcClient) {
    this.#rpc = rpc
  }

  async publish(table: RoutingTable): Promise<void> {
    await this.#rpc.call('publish', { table })
  }

  async withdraw(environment: string, version: TableVersion): Promise<void> {
    await this.#rpc.call('withdraw', { environment, version })
  }

  async observe(environment: string): Promise<ObservedTraffic> {
    return (await this.#rpc.call('observe', { environment })) as ObservedTraffic
  }

  async environments(): Promise<readonly string[]> {
    return (await this.#rpc.call('environments', null)) as readonly string[]
  }

  watch(changed: (environment: string) => void): () => void {
    return this.#rpc.listen((event) => {
      if (event.event === 'changed') changed((event.with as { environment: string }).environment)
      // What was missed while nobody answered is unknown: look at everything again.
      else if (event.event === 'reconnected')
        void this.environments().then(
          (all) => all.forEach(changed),
          () => {},
        )
    })
  }

  async counters(limit: number): Promise<readonly CounterBlock[]> {
    return (await this.#rpc.call('counters', { limit })) as readonly CounterBlock[]
  }

  async acknowledgeCounters(blocks: readonly { readonly incarnation: string; readonly sequence: number }[]): Promise<void> {
    await this.#rpc.call('acknowledgeCounters', { blocks })
  }

  async fence(epoch: Epoch): Promise<void> {
    await this.#rpc.call('fence', { epoch })
  }
}
