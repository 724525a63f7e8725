import { setTimeout as sleep } from 'node:timers/promises'
import type { Epoch } from '../../core/model/epoch.ts'
import { isWeirError } from '../../errors.ts'
import { RpcClient } from '../../rpc/client.ts'
import type { DaemonSpec, Daemons, IntakeAddress, ObservedDaemon, StoreConnection } from '../daemons.ts'

/** Weir's own processes by asking the runner. */
export class RunnerDaemons implements Daemons {
  readonly #runner: RpcClient

  constructor(runnerSocket: string) {
    this.#runner = new RpcClient(runnerSocket)
  }

  async ensure(spec: DaemonSpec, epoch: Epoch | null): Promise<void> {
    await this.#runner.call('ensureDaemon', { spec, epoch })
  }

  async stop(name: string, epoch: Epoch | null): Promise<void> {
    await this.#runner.call('stopDaemon', { name, epoch })
  }

  async list(): Promise<readonly ObservedDaemon[]> {
    return (await this.#runner.call('daemons', {})) as readonly ObservedDaemon[]
  }

  /** Weir's own PostgreSQL, running and answering. Making it takes some seconds, on a busy machine longer than a call may. */
  async ensureStore(withinMs = 60_000): Promise<StoreConnection> {
    const deadline = performance.now() + withinMs
    for (;;) {
      try {
        return (await this.#runner.call('ensureStore', {})) as StoreConnection
      } catch (error) {
        if (!isWeirError(error, 'E_UNAVAILABLE') || performance.now() > deadline) throw error
        await sleep(50)
      }
    }
  }

  /**
   * Where the telemetry intake is to listen; null: telemetry is turned off. `databaseUrl`: of a store that is not Weir's own, which the runner
   * leaves where the telemetry process alone can read it.
   */
  async intake(databaseUrl: string | null): Promise<IntakeAddress | null> {
    return (await this.#runner.call('intake', { databaseUrl })) as IntakeAddress | null
  }

  /** Ends everything that the runner keeps, and the runner; data stays. Returns when the runner has gone. */
  async shutdown(): Promise<void> {
    await this.#runner.call('shutdown', {})
    for (;;) {
      try {
        await this.#runner.call('ping', {})
      } catch {
        return
      }
      await sleep(50)
    }
  }

  close(): void {
    this.#runner.close()
  }
}
