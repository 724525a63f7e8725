import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { StatePaths } from '../../config.ts'
import { WeirError } from '../../errors.ts'
import { openToAll } from '../../open-to-all.ts'
import { programFile } from '../../programs.ts'
import { hiddenFolder } from './state-folder.ts'

/** What the server's account is started with. */
export interface Programs {
  readonly node: string
  readonly weir: string
}

/**
 * Node and Weir where the server's and the gateway's accounts can read them: as installed or, where that is closed to others (a checkout in
 * root's home, a strict umask), a copy in the state folder:
 *
 *   runtimes/weir-1a2b3c4d5e6f/bin/{node,npm,npx}  lib/node_modules/npm  lib/weir/dist
 */
export function programsForAccounts(paths: StatePaths, env: NodeJS.ProcessEnv): Programs {
  const installed: Programs = { node: process.execPath, weir: programFile('weir') }
  const npm = npmFolder(env)
  const closed = [installed.node, installed.weir, ...(npm === null ? [] : [join(npm, 'package.json')])].find(isClosed)
  if (process.getuid?.() !== 0 || closed === undefined) return installed
  if (!installed.weir.endsWith('.js'))
    throw new WeirError('E_STATE', { message: 'the server cannot be started', cause: `it runs as an account that cannot read ${closed}`, next: 'make build' })

  const dist = dirname(installed.weir)
  const folder = join(paths.runtimes, `weir-${fingerprint([installed.node, dist])}`)
  if (!isThere(folder)) copyPrograms(folder, { node: installed.node, dist, npm })
  return { node: join(folder, 'bin/node'), weir: join(folder, 'lib/weir/dist', basename(installed.weir)) }
}

/** Copies of other versions, but those that something runs from: the gateway of the last version does until ours has taken over. */
export function removeOtherPrograms(paths: StatePaths, used: Programs): void {
  const names = isThere(paths.runtimes) ? readdirSync(paths.runtimes).filter((name) => name.startsWith('weir-')) : []
  for (const folder of names.map((name) => join(paths.runtimes, name))) {
    if (!used.node.startsWith(`${folder}/`) && !isRun(folder)) rmSync(folder, { recursive: true })
  }
}

function isRun(folder: string): boolean {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.some((pid) => programOf(pid).startsWith(`${folder}/`))
}

/** Empty: a process of the kernel, or one that has ended. */
function programOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`)
  } catch {
    return ''
  }
}

function isClosed(file: string): boolean {
  const real = realpathSync(file)
  return (statSync(real).mode & 0o004) === 0 || hiddenFolder(dirname(real)) !== null
}

function copyPrograms(folder: string, from: { readonly node: string; readonly dist: string; readonly npm: string | null }): void {
  mkdirSync(dirname(folder), { recursive: true, mode: 0o755 })
  const fresh = mkdtempSync(join(dirname(folder), '.new-'))
  try {
    mkdirSync(join(fresh, 'bin'))
    cpSync(from.node, join(fresh, 'bin/node'), { mode: constants.COPYFILE_FICLONE })
    cpSync(from.dist, join(fresh, 'lib/weir/dist'), { recursive: true })
    writeFileSync(join(fresh, 'lib/weir/package.json'), '{"type":"module"}\n')
    if (from.npm !== null) {
      cpSync(from.npm, join(fresh, 'lib/node_modules/npm'), { recursive: true, dereference: true })
      for (const name of ['npm', 'npx']) symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(fresh, 'bin', name))
    }
    openToAll(fresh)
    renameSync(fresh, folder)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** Another build or another Node has another one. */
function fingerprint(places: readonly string[]): string {
  const hash = createHash('sha256')
  for (const place of places) {
    const files = statSync(place).isDirectory()
      ? readdirSync(place)
          .sort()
          .map((name) => join(place, name))
      : [place]
    for (const file of files) {
      const { size, mtimeMs } = statSync(file)
      if (!basename(file).startsWith('.')) hash.update(`${file} ${size} ${mtimeMs}\n`)
    }
  }
  return hash.digest('hex').slice(0, 12)
}

/** npm belongs to the Node of whoever starts Weir, which may lie in their home. */
function npmFolder(env: NodeJS.ProcessEnv): string | null {
  for (const folder of (env['PATH'] ?? '').split(':')) {
    try {
      const npm = dirname(dirname(realpathSync(join(folder, 'npm'))))
      accessSync(join(npm, 'bin/npm-cli.js'))
      return npm
    } catch {
      // not in this folder
    }
  }
  return null
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}
