import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ownEnvironment, type StatePaths } from './config.ts'
import { isWeirError, WeirError } from './errors.ts'
import { programFile } from './programs.ts'
import { RpcClient } from './rpc/client.ts'

const ANSWERS_WITHIN_MS = 15_000

/** Small heaps: the runner's work is in the kernel, and its memory counts on every machine. */
const RUNNER_FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=96', '--disable-warning=ExperimentalWarning']

/**
 * The runner, running and answering: starts it in the background, under a keeper that starts it again when it is killed, unless one
 * answers already (systemd's, or one from before). Its log is `logs/weir/runner.log`.
 *
 * @example await startRunner(statePaths())
 */
export async function startRunner(paths: StatePaths): Promise<{ readonly started: boolean }> {
  const runner = new RpcClient(paths.runnerSocket)
  try {
    if (await answers(runner)) return { started: false }
    const logFile = join(paths.logs, 'weir', 'runner.log')
    const from = spawnKeeper(paths, logFile)
    const end = performance.now() + ANSWERS_WITHIN_MS
    while (performance.now() < end) {
      if (await answers(runner)) return { started: true }
      if (from.exited()) break
      await sleep(25)
    }
    throw new WeirError('E_STATE', { message: 'the runner does not start', cause: lastLines(logFile, from.logged), evidence: logFile, next: 'weir doctor' })
  } finally {
    runner.close()
  }
}

async function answers(runner: RpcClient): Promise<boolean> {
  try {
    await runner.call('ping', {})
    return true
  } catch (error) {
    if (isWeirError(error, 'E_UNAVAILABLE')) return false
    throw error
  }
}

function spawnKeeper(paths: StatePaths, logFile: string): { readonly logged: number; exited(): boolean } {
  let log: number
  try {
    mkdirSync(paths.home, { recursive: true, mode: 0o711 })
    mkdirSync(join(paths.logs, 'weir'), { recursive: true, mode: 0o711 })
    log = openSync(logFile, 'a', 0o640)
  } catch (error) {
    throw new WeirError(
      'E_STATE',
      {
        message: 'the state folder cannot be used',
        cause: error instanceof Error ? error.message : String(error),
        next: 'set WEIR_HOME to a folder that can be written',
      },
      { cause: error },
    )
  }
  const logged = statSync(logFile).size
  const keeper = join(import.meta.dirname, '../bin/keep-runner')
  const child = spawn(keeper, [process.execPath, ...RUNNER_FLAGS, programFile('runner')], {
    cwd: '/',
    detached: true, // its own session: a closed terminal does not end it
    stdio: ['ignore', log, log],
    env: ownEnvironment({ ...process.env, WEIR_HOME: paths.home }),
  })
  closeSync(log)
  let exited = false
  child.once('exit', () => (exited = true))
  child.once('error', () => (exited = true))
  child.unref()
  return { logged, exited: () => exited }
}

function lastLines(file: string, from: number): string {
  const text = readFileSync(file).subarray(from).toString('utf8').trim()
  return text === '' ? 'it says nothing' : text.split('\n').slice(-3).join(' / ')
}
