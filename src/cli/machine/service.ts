import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { StatePaths } from '../../config.ts'
import { WeirError } from '../../errors.ts'
import { programFile } from '../../programs.ts'
import { runCommand } from '../../spawn.ts'
import { installationEnvironment, RUNNER_FLAGS, runnerPid, shutDownRunner, sleep, startRunner } from './processes.ts'
import { runnerUnit, UNIT_NAME } from './unit.ts'

/** Starting waits for the server to be ready, see ExecStartPost. */
const SYSTEMCTL_TIMEOUT_MS = 200_000
const LOOK_MS = 50

export function unitFile(root = '/'): string {
  return join(root, 'etc/systemd/system', UNIT_NAME)
}

/** Whether systemd keeps the runner of this state folder. */
export function isInstalled(paths: StatePaths): boolean {
  try {
    return readFileSync(unitFile(), 'utf8').includes(`WEIR_HOME=${paths.home}`)
  } catch {
    return false // no such unit
  }
}

export async function systemctl(...args: readonly string[]): Promise<void> {
  try {
    const { code, stderr } = await runCommand({ argv: ['systemctl', ...args], env: { LC_ALL: 'C' }, timeoutMs: SYSTEMCTL_TIMEOUT_MS })
    if (code !== 0)
      throw new WeirError('E_STATE', { message: `systemctl ${args.join(' ')} failed`, cause: stderr.trim(), next: 'weir install --print shows the unit' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new WeirError(
      'E_UNSUPPORTED',
      { message: 'this machine has no systemd', cause: 'systemctl is not there', next: 'weir up, from whatever starts services here' },
      { cause: error },
    )
  }
}

/** The unit's text for this program and these settings. */
export function ownUnit(paths: StatePaths, env: NodeJS.ProcessEnv): string {
  return runnerUnit({
    node: process.execPath,
    flags: RUNNER_FLAGS,
    runner: programFile('runner'),
    weir: programFile('weir'),
    home: paths.home,
    environment: installationEnvironment(paths, env),
  })
}

export function writeUnit(file: string, unit: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, unit)
}

/** systemd keeps the runner of this program from now on. What runs already goes on, and the new runner takes it over. */
export async function installUnit(paths: StatePaths, env: NodeJS.ProcessEnv): Promise<void> {
  const kept = isInstalled(paths)
  writeUnit(unitFile(), ownUnit(paths, env))
  await systemctl('daemon-reload')
  if (!kept) await retireRunner(paths)
  await systemctl('enable', UNIT_NAME)
  await systemctl('restart', UNIT_NAME)
}

/** Only the runner ends; everything that it keeps goes on for the next one. */
export async function retireRunner(paths: StatePaths): Promise<void> {
  const pid = await runnerPid(paths)
  if (pid === null) return
  process.kill(pid, 'SIGTERM')
  while ((await runnerPid(paths)) === pid) await sleep(LOOK_MS)
}

/**
 * Ends everything. systemd would start a runner that ended by itself again, so it lets go first; what runs is then ended by a runner of ours,
 * which takes it over for that.
 */
export async function stopEverything(paths: StatePaths, env: NodeJS.ProcessEnv): Promise<boolean> {
  const installed = isInstalled(paths)
  if (installed) await systemctl('stop', UNIT_NAME)
  if ((await runnerPid(paths)) === null) {
    if (!installed) return false
    await startRunner(paths, env)
  }
  await shutDownRunner(paths)
  return true
}
