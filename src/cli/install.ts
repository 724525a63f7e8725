import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { statePaths } from '../config.ts'
import { WeirError } from '../errors.ts'
import { programFile } from '../programs.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { installationEnvironment, RUNNER_FLAGS } from './machine/processes.ts'
import { retireRunner, stopEverything, systemctl, unitFile } from './machine/service.ts'
import { prepareStateFolder } from './machine/state-folder.ts'
import { runnerUnit, UNIT_NAME } from './machine/unit.ts'

/** Writes the systemd unit and starts it, so that a reboot brings every app back in order. What runs already is taken over. */
export async function install(session: Session): Promise<undefined> {
  const { env } = session.terminal
  const paths = statePaths(env)
  const unit = runnerUnit({
    node: process.execPath,
    flags: RUNNER_FLAGS,
    runner: programFile('runner'),
    weir: programFile('weir'),
    home: paths.home,
    environment: installationEnvironment(paths, env),
  })
  if (session.flag('print')) {
    session.terminal.out(unit)
    return
  }
  const root = session.text('root')
  if (root !== undefined) {
    writeUnit(unitFile(root), unit)
    await session.print({ unit: unitFile(root) }, () => [`wrote ${unitFile(root)}`])
    return
  }
  requireRoot()
  prepareStateFolder(paths)
  writeUnit(unitFile(), unit)
  await systemctl('daemon-reload')
  await retireRunner(paths)
  await systemctl('enable', '--now', UNIT_NAME)
  await session.print({ unit: unitFile() }, () => [`${UNIT_NAME} runs and starts at boot; weir doctor looks at it`])
}

/** Stops everything and takes the unit away; data stays. */
export async function uninstall(session: Session): Promise<undefined> {
  const { env } = session.terminal
  const root = session.text('root')
  const file = unitFile(root)
  if (!existsSync(file)) throw new WeirError('E_NOT_FOUND', { message: 'Weir is not installed as a service', cause: `there is no ${file}` })
  if (root === undefined) {
    requireRoot()
    await stopEverything(statePaths(env), env)
    await systemctl('disable', UNIT_NAME)
  }
  rmSync(file)
  if (root === undefined) await systemctl('daemon-reload')
  await session.print({ removed: file }, () => [`removed ${file}; the data stays`])
}

function writeUnit(file: string, unit: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, unit)
}

function requireRoot(): void {
  if (process.getuid?.() !== 0) throw usage('a systemd service is installed by root', undefined, 'sudo weir install, or weir install --print to see it')
}
