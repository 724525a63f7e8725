import { RpcClient } from '../../rpc/client.ts'
import type { Confined, ConfinedJob, ObservedJob } from '../confined.ts'

/** Confined jobs by asking the runner. */
export class RunnerConfined implements Confined {
  readonly #runner: RpcClient

  constructor(runnerSocket: string) {
    this.#runner = new RpcClient(runnerSocket)
  }

  async start(job: ConfinedJob): Promise<void> {
    await this.#runner.call('startJob', job)
  }

  async observe(id: string): Promise<ObservedJob | null> {
    return (await this.#runner.call('observeJob', { id })) as ObservedJob | null
  }

  async stop(id: string): Promise<void> {
    await this.#runner.call('stopJob', { id })
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
