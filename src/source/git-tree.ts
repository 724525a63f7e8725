import { spawn } from 'node:child_process'
import { shownPath } from '../archive/entry-rules.ts'
import { type UnpackLimits, unpackTar } from '../archive/unpack.ts'
import { WeirError } from '../errors.ts'
import { gitEnvironment } from './git-session.ts'
import type { Mirror } from './mirror.ts'

/** What a mirror holds at one commit. Reads git's objects only; nothing of the repository is run or interpreted. */
interface At {
  readonly mirror: Mirror
  readonly commit: string
  /** A folder or file of the commit; `''` is all of it. */
  readonly path: string
}

export interface CommitFacts {
  readonly time: number
  readonly subject: string
  readonly author: string
}

export async function commitFacts(mirror: Mirror, commit: string): Promise<CommitFacts> {
  const { stdout } = await mirror.git(['show', '--no-patch', '--no-show-signature', '--format=%ct%n%an%n%s', '--end-of-options', commit])
  const [seconds = '0', author = '', subject = ''] = stdout.split('\n')
  return { time: Number(seconds) * 1000, author: author.slice(0, 200), subject: subject.slice(0, 500) }
}

export async function readGitFile({ mirror, commit, path }: At, maxBytes: number): Promise<Uint8Array | null> {
  const entry = (await lsTree(mirror, commit, path)).find((it) => it.name === path)
  if (!entry || entry.type === 'tree' || entry.type === 'commit') return null
  if (entry.mode === '120000') throw linkRefused(path)
  if (entry.size > maxBytes) throw fileTooLarge(path, maxBytes)
  const parts: Buffer[] = []
  const { code } = await mirror.git(['cat-file', 'blob', entry.id], {
    maxOutputBytes: 0,
    onOutput: (chunk, stream) => stream === 'stdout' && parts.push(chunk),
  })
  if (code !== 0) throw unreadable(path)
  return Buffer.concat(parts)
}

export async function listGitFolder({ mirror, commit, path }: At): Promise<string[] | null> {
  if (path !== '') {
    const entry = (await lsTree(mirror, commit, path)).find((it) => it.name === path)
    if (entry?.type !== 'tree') return null
  }
  const below = path === '' ? '' : `${path}/`
  const entries = await lsTree(mirror, commit, below)
  return entries.map(({ name, type }) => `${name.slice(below.length)}${type === 'tree' || type === 'commit' ? '/' : ''}`)
}

/** Folders that are submodules: named, so that a person sees why they are empty. */
export async function submodules(mirror: Mirror, commit: string): Promise<string[]> {
  const { stdout } = await mirror.git(['ls-tree', '-r', '-z', '--full-tree', commit], { maxOutputBytes: 64 * 1024 ** 2 })
  return parseTree(stdout)
    .filter(({ type }) => type === 'commit')
    .map(({ name }) => name)
}

/** git's own tree id: the same names, modes and contents have the same. */
export async function gitDigest({ mirror, commit, path }: At): Promise<string> {
  const { code, stdout } = await mirror.git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${commit}:${path}`])
  if (code !== 0) throw noFolder(path)
  return `git-tree:${stdout.trim()}`
}

/** Streams the folder out of the mirror and unpacks it by the same rules as an upload. */
export async function exportGitFolder({ mirror, commit, path }: At, into: string, limits: UnpackLimits): Promise<void> {
  const type = await mirror.git(['cat-file', '-t', `${commit}:${path}`])
  if (type.stdout.trim() !== 'tree') throw noFolder(path)
  const child = spawn('git', ['--git-dir', mirror.path, 'archive', '--format=tar', `${commit}:${path}`], {
    env: gitEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: false,
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  child.stderr.resume()
  try {
    await unpackTar(child.stdout, into, limits)
  } catch (error) {
    child.kill('SIGKILL')
    await ended
    throw error
  }
  if ((await ended) !== 0) throw unreadable(path === '' ? 'the repository' : path)
}

interface TreeEntry {
  readonly mode: string
  readonly type: 'blob' | 'tree' | 'commit'
  readonly id: string
  readonly size: number
  readonly name: string
}

async function lsTree(mirror: Mirror, commit: string, path: string): Promise<TreeEntry[]> {
  const args = ['--literal-pathspecs', 'ls-tree', '-l', '-z', '--full-tree', commit]
  const { code, stdout } = await mirror.git(path === '' ? args : [...args, '--', path], { maxOutputBytes: 16 * 1024 ** 2 })
  if (code !== 0) throw unreadable(path)
  return parseTree(stdout)
}

/** `<mode> <type> <id>[ <size>]\t<name>\0` */
function parseTree(text: string): TreeEntry[] {
  return text
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => {
      const tab = line.indexOf('\t')
      const [mode = '', type = '', id = '', size = '0'] = line.slice(0, tab).split(/ +/)
      return { mode, type: type as TreeEntry['type'], id, size: Number(size) || 0, name: line.slice(tab + 1) }
    })
}

export function linkRefused(path: string): WeirError {
  return new WeirError('E_ARCHIVE', {
    message: `${shownPath(path)} is a link`,
    cause: 'Weir reads it before anything is unpacked, and follows no links',
    next: 'commit a plain file in its place',
  })
}
export function fileTooLarge(path: string, maxBytes: number): WeirError {
  return new WeirError('E_SOURCE_TOO_LARGE', { message: `${shownPath(path)} is too large`, cause: `it is over ${maxBytes} bytes` })
}
export function noFolder(path: string): WeirError {
  return new WeirError('E_SOURCE_NOT_FOUND', { message: `the source has no folder ${shownPath(path)}`, next: "check the service's build context" })
}
function unreadable(path: string): WeirError {
  return new WeirError('E_SOURCE_NOT_FOUND', { message: `${shownPath(path)} cannot be read from the repository`, next: 'deploy again' })
}
