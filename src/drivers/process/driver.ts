import type { Epoch } from '../../core/model/epoch.ts'
import type { ReplicaUsage } from '../../core/model/replica.ts'
import { RpcClient } from '../../rpc/client.ts'
import type { Driver, ObservedEnvironment, ReplicaRequest, ReplicaSpec, ResourceSpec, SecretMount, TaskSpec } from '../driver.ts'

/** Opens sealed secrets: those that an environment's spec names, to their values. */
export type OpenSecrets = (environment: string, secrets: readonly SecretMount[]) => Promise<Readonly<Record<string, string>>>

/**
 * Runs replicas as processes of this machine, by asking the runner.
 *
 * @example const driver = new ProcessDriver(paths.runnerSocket, (environment, secrets) => vault.open(environment, secrets))
 */
export class ProcessDriver implements Driver {
  readonly #runner: RpcClient
  readonly #openSecrets: OpenSecrets

  constructor(runnerSocket: string, openSecrets: OpenSecrets) {
    this.#runner = new RpcClient(runnerSocket)
    this.#openSecrets = openSecrets
  }

  async startReplica(spec: ReplicaSpec, epoch: Epoch): Promise<void> {
    await this.#runner.call('startReplica', { spec, secrets: await this.#openSecrets(spec.environment, spec.secrets), epoch })
  }

  async stopReplica(id: string, epoch: Epoch): Promise<void> {
    await this.#runner.call('stopReplica', { id, epoch })
  }

  async startTask(spec: TaskSpec, epoch: Epoch): Promise<void> {
    await this.#runner.call('startTask', { spec, secrets: await this.#openSecrets(spec.environment, spec.secrets), epoch })
  }

  async forgetTask(id: string, epoch: Epoch): Promise<void> {
    await this.#runner.call('forgetTask', { id, epoch })
  }

  async ensureResource(spec: ResourceSpec, epoch: Epoch): Promise<void> {
    await this.#runner.call('ensureResource', { spec, epoch })
  }

  async removeResource(environment: string, name: string, withData: boolean, epoch: Epoch): Promise<void> {
    await this.#runner.call('removeResource', { environment, name, withData, epoch })
  }

  async observe(environment: string): Promise<ObservedEnvironment> {
    return (await this.#runner.call('observe', { environment })) as ObservedEnvironment
  }

  async ask(id: string, request: ReplicaRequest): Promise<{ readonly ok: boolean; readonly cause: string | null }> {
    return (await this.#runner.call('ask', { id, request })) as { readonly ok: boolean; readonly cause: string | null }
  }

  /** What a query answers with in a database of the environment: one figure, read as the app's own role. */
  async figure(environment: string, resource: string, query: string): Promise<number> {
    return (await this.#runner.call('figure', { environment, resource, query })) as number
  }

  /** Replicas that run. */
  async usage(environment: string): Promise<readonly ReplicaUsage[]> {
    return (await this.#runner.call('usage', { environment })) as readonly ReplicaUsage[]
  }

  async environments(): Promise<readonly string[]> {
    return (await this.#runner.call('environments', {})) as readonly string[]
  }

  watch(changed: (environment: string) => void): () => void {
    return this.#runner.listen(({ event, with: args }) => {
      if (event === 'changed') changed((args as { environment: string }).environment)
      // What was missed while nobody answered is unknown: look at everything again.
      else if (event === 'reconnected')
        void this.environments().then(
          (all) => all.forEach(changed),
          () => {},
        )
    })
  }

  async fence(epoch: Epoch): Promise<void> {
    await this.#runner.call('fence', { epoch })
  }

  close(): void {
    this.#runner.close()
  }
}
