import type { Epoch } from '../../core/model/epoch.ts'
import { RpcClient } from '../../rpc/client.ts'
import type { BuildPlace, Confined, ConfinedJob, ObservedJob } from '../confined.ts'

/** Confined jobs by asking the runner. */
export class RunnerConfined implements Confined {
  readonly #runner: RpcClient

  constructor(runnerSocket: string) {
    this.#runner = new RpcClient(runnerSocket)
  }

  async takeOver(epoch: Epoch): Promise<void> {
    await this.#runner.call('takeOverJobs', { epoch })
  }

  async confirm(epoch: Epoch): Promise<void> {
    await this.#runner.call('fence', { epoch })
  }

  async place(build: BuildPlace, epoch: Epoch): Promise<void> {
    await this.#runner.call('placeBuild', { ...build, epoch })
  }

  async clear(tenant: string, epoch: Epoch): Promise<void> {
    await this.#runner.call('clearBuild', { tenant, epoch })
  }

  async start(job: ConfinedJob, epoch: Epoch): Promise<void> {
    await this.#runner.call('startJob', { job, epoch })
  }

  async observe(id: string): Promise<ObservedJob | null> {
    return (await this.#runner.call('observeJob', { id })) as ObservedJob | null
  }

  async stop(id: string, epoch: Epoch): Promise<void> {
    await this.#runner.call('stopJob', { id, epoch })
  }

  watch(ended: (id: string) => void): () => void {
    return this.#runner.listen(({ event, with: args }) => {
      if (event === 'jobEnded') ended((args as { id: string }).id)
    })
  }

  close(): void {
    this.#runner.close()
  }
}
