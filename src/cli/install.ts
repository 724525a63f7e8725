import { existsSync, rmSync } from 'node:fs'
import { statePaths } from '../config.ts'
import { WeirError } from '../errors.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { refuseOlder, retireServer, running, settingsOf } from './machine/hand-over.ts'
import { installUnit, ownUnit, stopEverything, systemctl, unitFile, writeUnit } from './machine/service.ts'
import { prepareStateFolder } from './machine/state-folder.ts'
import { UNIT_NAME } from './machine/unit.ts'

/** Writes the systemd unit and starts it, so that a reboot brings every app back in order. What runs already is taken over, of an older build too. */
export async function install(session: Session): Promise<undefined> {
  const { env } = session.terminal
  const paths = statePaths(env)
  const unit = ownUnit(paths, env)
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
  await systemctl('daemon-reload') // where there is no systemd, this says so before anything was stopped
  const before = await running(paths)
  if (before !== null) {
    refuseOlder(before)
    await retireServer(paths)
  }
  await installUnit(paths, before === null ? env : settingsOf(before, env))
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

function requireRoot(): void {
  if (process.getuid?.() !== 0) throw usage('a systemd service is installed by root', undefined, 'sudo weir install, or weir install --print to see it')
}
