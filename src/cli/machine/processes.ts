import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ONE_HEAP, ownEnvironment, type StatePaths, serverConfig } from '../../config.ts'
import { WeirError } from '../../errors.ts'
import { ownBuild } from '../../own-build.ts'
import { programFile } from '../../programs.ts'
import { RpcClient } from '../../rpc/client.ts'
import { failureOf } from '../output/failure.ts'
import { programsForAccounts } from './programs.ts'

/** What of the runner's own words the CLI needs; the driver's interface has the rest. */
export interface DaemonState {
  readonly name: string
  readonly phase: 'running' | 'waiting'
  readonly pid: number | null
  readonly restarts: number
  readonly cause: string | null
}

/** Loopback ports of the telemetry intake, as the runner tells of them. */
export interface IntakeAddress {
  readonly otlp: number
  readonly otlpGrpc: number
  readonly zipkin: number
}

/**
 * What all processes of the installation are configured by. The gateway's address is spelled out, because its default depends on who asks,
 * and server and gateway run as other accounts than the runner.
 */
export function installationEnvironment(paths: StatePaths, env: NodeJS.ProcessEnv): Record<string, string> {
  const { host, port } = serverConfig(env).http
  return { ...ONE_HEAP, ...ownEnvironment(env), WEIR_HOME: paths.home, WEIR_HTTP_LISTEN: `${host.includes(':') ? `[${host}]` : host}:${port}` }
}

/** Where no systemd does it, this starts the runner again when it is killed. */
const KEEPER = join(import.meta.dirname, '../../../bin/keep-runner')
/** Its work is in the kernel, and its memory counts on every machine. */
export const RUNNER_FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=96']
/** Most of what it makes lives as long as a request: room for 16 MiB of that would stay taken for ever. */
const SERVER_FLAGS = ['--max-semi-space-size=1']
const RUNNER_START_MS = 15_000
const LOOK_MS = 50
const SERVER_GRACE_MS = 10_000

export async function runnerPid(paths: StatePaths): Promise<number | null> {
  const pong = (await askRunner(paths, 'ping')) as { readonly pid: number } | null
  return pong?.pid ?? null
}

/** Weir's own processes as the runner keeps them; null: no runner. */
export async function daemons(paths: StatePaths): Promise<readonly DaemonState[] | null> {
  return (await askRunner(paths, 'daemons')) as readonly DaemonState[] | null
}

/** Where telemetry is taken in; null: nowhere, or no runner says so. */
export async function intakeAddress(paths: StatePaths): Promise<IntakeAddress | null> {
  return (await askRunner(paths, 'intake')) as IntakeAddress | null
}

/** Starts the runner in the background, apart from this terminal, and waits until it answers. What it has to say goes to its log. */
export async function startRunner(paths: StatePaths, env: NodeJS.ProcessEnv): Promise<void> {
  const log = join(paths.logs, 'weir', 'runner.log')
  mkdirSync(join(paths.logs, 'weir'), { recursive: true, mode: 0o711 })
  const out = openSync(log, 'a', 0o600)
  const child = spawn(KEEPER, [process.execPath, ...RUNNER_FLAGS, programFile('runner')], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', out, out],
    env: installationEnvironment(paths, env),
  })
  closeSync(out)
  let ended: string | null = null
  child.once('error', (error) => {
    ended = error.message
  })
  child.once('exit', (code, signal) => {
    ended = `it ended with ${signal ?? code}`
  })
  child.unref()
  const deadline = performance.now() + RUNNER_START_MS
  while ((await runnerPid(paths)) === null) {
    if (ended !== null || performance.now() > deadline) {
      throw new WeirError('E_STATE', {
        message: 'the runner does not start',
        cause: [lastLine(log), ended ?? `no answer in ${RUNNER_START_MS / 1000} s`].filter(Boolean).join('; '),
        evidence: log,
        next: 'weir doctor',
      })
    }
    await sleep(LOOK_MS)
  }
}

/** Has the runner keep the server alive; the same again changes nothing, another version replaces it. */
export async function ensureServer(paths: StatePaths, env: NodeJS.ProcessEnv): Promise<void> {
  const { node, weir } = programsForAccounts(paths, env)
  const runner = new RpcClient(paths.runnerSocket)
  try {
    const spec = {
      name: 'server',
      argv: [node, ...SERVER_FLAGS, weir, 'server'],
      env: { ...installationEnvironment(paths, env), WEIR_BUILD: ownBuild().build },
      account: 'server',
      stop: { signal: 'SIGTERM', graceMs: SERVER_GRACE_MS },
      leftovers: 'kill',
    }
    await runner.call('ensureDaemon', { spec, epoch: null })
  } finally {
    runner.close()
  }
}

/** Ends everything that the runner keeps, and the runner; data stays. Returns when it has gone. */
export async function shutDownRunner(paths: StatePaths): Promise<void> {
  const pid = await runnerPid(paths)
  const last = pid === null ? [] : [pid, ...keeperOf(pid)]
  await askRunner(paths, 'shutdown')
  while ((await runnerPid(paths)) !== null || last.some(isThere)) await sleep(LOOK_MS)
}

/** The script that would start this runner again; none under systemd. */
function keeperOf(runner: number): number[] {
  const parent = Number(/^PPid:\s+(\d+)/m.exec(readIfThere(`/proc/${runner}/status`))?.[1])
  return readIfThere(`/proc/${parent}/cmdline`).split('\0').includes(KEEPER) ? [parent] : []
}

/** What has ended and is not yet reaped is no longer there. */
function isThere(pid: number): boolean {
  return /^State:\s+[^ZX]/m.test(readIfThere(`/proc/${pid}/status`))
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

async function askRunner(paths: StatePaths, call: string): Promise<unknown> {
  const runner = new RpcClient(paths.runnerSocket)
  try {
    return await runner.call(call, {})
  } catch (error) {
    if (failureOf(error).code === 'E_UNAVAILABLE') return null
    throw error
  } finally {
    runner.close()
  }
}

/** Empty where it could not even write. */
function lastLine(file: string): string {
  return readIfThere(file).trimEnd().split('\n').at(-1) ?? ''
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
