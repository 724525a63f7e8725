import { type StatePaths, statePaths, telemetryConfig } from '../config.ts'
import { WeirError } from '../errors.ts'
import { ownBuild } from '../own-build.ts'
import { deploy } from './deploy.ts'
import { connectClient } from './frame/connect.ts'
import { isDeployable } from './frame/deploy-source.ts'
import { Session } from './frame/session.ts'
import { timeoutMs } from './frame/wait.ts'
import { ofAnotherBuild, refuseOlder, retireServer, running, settingsOf } from './machine/hand-over.ts'
import { lastWords } from './machine/last-words.ts'
import { refuseTakenPorts } from './machine/ports.ts'
import { daemons, ensureServer, runnerPid, sleep, startRunner } from './machine/processes.ts'
import { programsForAccounts, removeOtherPrograms } from './machine/programs.ts'
import { installUnit, isInstalled, retireRunner, systemctl } from './machine/service.ts'
import { prepareStateFolder } from './machine/state-folder.ts'
import { UNIT_NAME } from './machine/unit.ts'

/** Making the databases takes seconds, the first time. */
const START_MS = 120_000
const LOOK_MS = 100

/** Starts everything on this machine in the background, then deploys the current folder if there is something to deploy. */
export async function up(session: Session): Promise<number> {
  const paths = statePaths(session.terminal.env)
  const env = await replaceOthers(session, paths)
  const local = new Session({ ...session.terminal, env: { ...env, WEIR_SERVER: `unix:${paths.serverSocket}` } }, [], session.options)
  try {
    if (await isReady(local)) local.note('Weir runs already')
    else await start(local, paths, env)
    if (session.options['deploy'] === false || !(await isDeployable(session.terminal.cwd))) {
      await local.print({ server: local.server.address, home: paths.home }, () => ['Weir runs; next: weir deploy in the folder of an app, weir down to stop'])
      return 0
    }
    return await deploy(local)
  } finally {
    local.close()
  }
}

/**
 * Where another build runs, its server and its runner end, for ours to take over; what the runner kept goes on. The new server replaces the
 * gateway's parent, whose workers go on until the new ones serve. Answers what ours is to be configured by.
 */
async function replaceOthers(session: Session, paths: StatePaths): Promise<NodeJS.ProcessEnv> {
  const { env } = session.terminal
  telemetryConfig(env) // what makes no sense in it is refused before anything is started
  const there = await running(paths)
  if (there === null) return env
  const another = ofAnotherBuild(there)
  if (!another.runner && !another.server) return env
  refuseOlder(there)
  const { version, build } = ownBuild()
  session.note(`replacing Weir ${there.runner?.version ?? 'of an older build'} by ${version} (${build}); apps go on`)
  const settings = settingsOf(there, env)
  await retireServer(paths)
  if (another.runner) await (isInstalled(paths) ? installUnit(paths, settings) : retireRunner(paths))
  return settings
}

async function start(session: Session, paths: StatePaths, env: NodeJS.ProcessEnv): Promise<void> {
  const begun = performance.now()
  process.umask(0o022) // inherited by all that is started: what the accounts share must not be closed to them
  prepareStateFolder(paths)
  session.note(`starting Weir in ${paths.home}`)
  if ((await runnerPid(paths)) === null) {
    refuseTakenPorts(paths, env)
    removeOtherPrograms(paths, programsForAccounts(paths, env))
    if (isInstalled(paths)) await systemctl('start', UNIT_NAME)
    else await startRunner(paths, env)
  }
  await ensureServer(paths, env)
  const patience = timeoutMs(session) ?? START_MS
  while (!(await isReady(session))) {
    const server = (await daemons(paths))?.find((it) => it.name === 'server')
    if (server?.cause != null && server.restarts >= 3) throw notStarting(paths, server.cause)
    if (performance.now() - begun > patience) throw notStarting(paths, server?.cause ?? `not ready after ${Math.round(patience / 1000)} s`)
    await sleep(LOOK_MS)
  }
}

async function isReady(session: Session): Promise<boolean> {
  const client = await connectClient(session.server)
  try {
    return (await client.call('system.readyz', {}, { signal: AbortSignal.timeout(1000) })).ok
  } catch {
    return false // not there yet, or its store is not: the caller asks again
  } finally {
    client.close()
  }
}

function notStarting(paths: StatePaths, ended: string): WeirError {
  const cause = [...lastWords(paths, 'server'), ended].join('\n')
  return new WeirError('E_STATE', {
    message: 'the server does not start',
    cause,
    evidence: `${paths.logs}/weir/server.jsonl`,
    state: 'what ran before goes on',
    next: 'weir doctor',
  })
}
