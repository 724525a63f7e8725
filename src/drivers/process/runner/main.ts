/**
 * The runner: parent of replicas, tasks, builds and Weir's own daemons. `node main.ts`, with WEIR_HOME. It may be killed at any time:
 * what it started goes on, and the next runner takes it over. SIGTERM hands over in the same way; the call `shutdown` ends everything.
 */
import { rmSync } from 'node:fs'
import { accounts, statePaths } from '../../../config.ts'
import { isWeirError } from '../../../errors.ts'
import { serveRpc, type RpcServer } from '../../../rpc/server.ts'
import { layOut } from './layout.ts'
import { thisMachine } from './machine.ts'
import { Runner } from './runner.ts'

const paths = statePaths()

async function main(): Promise<void> {
  layOut(paths, accounts())
  const machine = thisMachine(paths, process.env)
  let rpc: RpcServer | null = null
  const runner = new Runner(machine, (environment) => rpc?.emit('changed', { environment }))
  rpc = await serveRpc(
    paths.runnerSocket,
    {
      startReplica: (args: never) => runner.startReplica(args),
      stopReplica: (args: never) => runner.stopReplica(args),
      startTask: (args: never) => runner.startTask(args),
      forgetTask: (args: never) => runner.forgetTask(args),
      ensureResource: (args: never) => runner.ensureResource(args),
      removeResource: (args: never) => runner.removeResource(args),
      observe: (args: never) => runner.observe(args),
      environments: () => runner.environments(),
      fence: (args: never) => runner.fence(args),
      ensureDaemon: (args: never) => runner.daemons.ensure(args),
      stopDaemon: ({ name }: { name: string }) => runner.daemons.stop(name),
      daemons: () => runner.daemons.list(),
      ping: () => ({ pid: process.pid }),
    },
    machine.accounts && { uid: machine.accounts.server },
  )
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      rmSync(paths.runnerSocket, { force: true })
      process.exit(0)
    })
  }
}

main().catch((error: unknown) => {
  const [message, cause, next] = isWeirError(error) ? [error.message, error.explanation.cause, error.explanation.next] : [String(error)]
  process.stderr.write(`runner: ${[message, cause, next].filter(Boolean).join('; ')}\n`)
  process.exit(78)
})
