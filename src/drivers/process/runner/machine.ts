import { createHash } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { type Accounts, accounts, type StatePaths } from '../../../config.ts'
import { WeirError } from '../../../errors.ts'
import type { Cgroups } from './cgroups/cgroups.ts'
import { findCgroups } from './cgroups/find.ts'

/** What this machine and this installation give to everything that the runner starts. */
export interface Machine {
  readonly paths: StatePaths
  /** null: not root; everything runs as the user. */
  readonly accounts: Accounts | null
  readonly cgroups: Cgroups | null
  /** Names this installation in cgroups and firewall chains: `weir-1a2b3c4d`. */
  readonly name: string
  /** Absolute paths of the programs that the runner itself executes. */
  readonly programs: { readonly setpriv: string; readonly mkfifo: string; readonly chown: string; readonly tar: string }
  /** PATH of what is started, after a runtime of its own. */
  readonly path: string
}

export function thisMachine(paths: StatePaths, env: NodeJS.ProcessEnv): Machine {
  const name = `weir-${createHash('sha256').update(paths.home).digest('hex').slice(0, 8)}`
  const path = env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'
  const find = (program: string, debian: string) => findProgram(program, path) ?? missing(program, debian)
  return {
    paths,
    accounts: accounts(env),
    cgroups: findCgroups({ parent: name, folder: paths.runner }),
    name,
    programs: { setpriv: find('setpriv', 'util-linux'), mkfifo: find('mkfifo', 'coreutils'), chown: find('chown', 'coreutils'), tar: find('tar', 'tar') },
    path,
  }
}

/** Where a shell would find it; null when nowhere. Also looks where Debian keeps root's programs, which a user's PATH may lack. */
export function findProgram(program: string, path: string): string | null {
  for (const folder of [...path.split(':'), '/usr/sbin', '/sbin']) {
    const candidate = join(folder, program)
    try {
      accessSync(candidate, constants.X_OK)
      return candidate
    } catch {
      // not in this folder
    }
  }
  return null
}

export function missing(program: string, debian: string): never {
  throw new WeirError('E_STATE', { message: `${program} is not installed`, cause: `no executable ${program} on PATH`, next: `apt-get install ${debian}` })
}
