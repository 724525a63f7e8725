/**
 * The runner: parent of replicas, tasks, builds and Weir's own daemons. `node main.ts`, with WEIR_HOME. It may be killed at any time:
 * what it started goes on, and the next runner takes it over. SIGTERM hands over in the same way; the call `shutdown` ends everything.
 */
import { rmSync } from 'node:fs'
import { accounts, statePaths } from '../../../config.ts'
import { isWeirError } from '../../../errors.ts'
import { ownBuild } from '../../../own-build.ts'
import { type Handlers, type RpcServer, serveRpc } from '../../../rpc/server.ts'
import { layOut } from './layout.ts'
import { thisMachine } from './machine.ts'
import { Runner } from './runner.ts'

const paths = statePaths()
/** What this process is, whatever lies in its folder by now. */
const build = ownBuild()

async function main(): Promise<void> {
  layOut(paths, accounts())
  const machine = thisMachine(paths, process.env)
  let rpc: RpcServer | null = null
  const runner = await Runner.open(machine, {
    changed: (environment) => rpc?.emit('changed', { environment }),
    jobEnded: (id) => rpc?.emit('jobEnded', { id }),
  })
  rpc = await serveRpc(paths.runnerSocket, handlers(runner), machine.accounts && { uid: machine.accounts.server })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, leave)
}

function handlers(runner: Runner): Handlers {
  return {
    startReplica: (args: Args<'startReplica'>) => runner.startReplica(args),
    stopReplica: (args: Args<'stopReplica'>) => runner.stopReplica(args),
    startTask: (args: Args<'startTask'>) => runner.startTask(args),
    forgetTask: (args: Args<'forgetTask'>) => runner.forgetTask(args),
    ensureResource: (args: Args<'ensureResource'>) => runner.ensureResource(args),
    removeResource: (args: Args<'removeResource'>) => runner.removeResource(args),
    observe: (args: Args<'observe'>) => runner.observe(args),
    ask: (args: Args<'ask'>) => runner.ask(args),
    figure: (args: Args<'figure'>) => runner.figure(args),
    usage: (args: Args<'usage'>) => runner.usage(args),
    environments: () => runner.environments(),
    fence: (args: Args<'fence'>) => runner.fence(args),
    exec: (args: Args<'exec'>) => runner.exec(args),
    removeSlugs: (args: Args<'removeSlugs'>) => runner.removeSlugs(args),
    removeLogs: (args: Args<'removeLogs'>) => runner.removeLogs(args),
    takeOverJobs: (args: Args<'takeOverJobs'>) => runner.takeOverJobs(args),
    placeBuild: (args: Args<'placeBuild'>) => runner.placeBuild(args),
    clearBuild: (args: Args<'clearBuild'>) => runner.clearBuild(args),
    startJob: (args: Args<'startJob'>) => runner.startJob(args),
    observeJob: (args: Args<'observeJob'>) => runner.observeJob(args),
    stopJob: (args: Args<'stopJob'>) => runner.stopJob(args),
    ensureStore: () => runner.ensureStore(),
    intake: (args: Args<'intake'>) => runner.intake(args),
    ensureDaemon: (args: Args<'ensureDaemon'>) => runner.ensureDaemon(args),
    stopDaemon: (args: Args<'stopDaemon'>) => runner.stopDaemon(args),
    daemons: () => runner.daemons.list(),
    daemonSpec: ({ name }: { name: string }) => runner.daemons.spec(name),
    ping: () => ({ pid: process.pid, ...build }),
    // Answers at once: the end may take as long as the slowest replica's grace.
    shutdown: () => void runner.shutdown().then(leave, fail),
  }
}
type Args<Call extends keyof Runner> = Runner[Call] extends (args: infer A) => unknown ? A : never

/** What it started goes on, unless it was ended before. */
function leave(): void {
  rmSync(paths.runnerSocket, { force: true })
  process.exit(0)
}

function fail(error: unknown): void {
  const [message, cause, next] = isWeirError(error) ? [error.message, error.explanation.cause, error.explanation.next] : [String(error)]
  process.stderr.write(`runner: ${[message, cause, next].filter(Boolean).join('; ')}\n`)
  process.exit(78)
}

main().catch(fail)
