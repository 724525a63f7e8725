import { lstat, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { WeirError } from '../errors.ts'
import { runCommand } from '../spawn.ts'
import { ignores, parseIgnore } from './ignore-rules.ts'
import { type FileToPack, listFolder, TAR_END, writeTar } from './tar-write.ts'

const GIT_TIMEOUT_MS = 30_000
/** Never sent: history, what the folder is linked to, and what is installed again where it is built. */
const ALWAYS_LEFT_OUT = new Set(['.git', '.weir', 'node_modules', '.DS_Store', '__pycache__', '.venv'])

/**
 * The folder as a tar.gz stream, as `weir deploy` sends it: in a git work tree what git knows or would add (so `.gitignore` holds), else
 * everything; less what `.weirignore` names (git's pattern language), and never `.git`, `.weir` or `node_modules`.
 *
 * @example const { stream, files } = await packFolder('/home/me/shop')
 */
export async function packFolder(folder: string): Promise<{ readonly stream: Readable; readonly files: number }> {
  const files = await filesToSend(folder)
  if (files.length === 0)
    throw new WeirError('E_SOURCE_EMPTY', {
      message: `nothing to deploy in ${folder}`,
      cause: 'every file is ignored, or there is none',
      next: 'see .gitignore and .weirignore',
    })
  async function* tar() {
    yield* writeTar(folder, files, 0)
    yield TAR_END
  }
  const plain = Readable.from(tar())
  const stream = plain.pipe(createGzip({ level: 4 }))
  plain.on('error', (error) => stream.destroy(error))
  return { stream, files: files.length }
}

/** What `packFolder` sends, sorted by name. */
export async function filesToSend(folder: string): Promise<FileToPack[]> {
  const patterns = parseIgnore(await readFile(join(folder, '.weirignore'), 'utf8').catch(() => ''))
  const leftOut = (path: string) => path.split('/').some((name) => ALWAYS_LEFT_OUT.has(name)) || ignores(patterns, path)
  const known = await gitFiles(folder)
  if (known === null) {
    const all = await listFolder(folder, (_, name) => ALWAYS_LEFT_OUT.has(name))
    return all.filter(({ path, kind }) => kind !== 'folder' && !leftOut(path))
  }
  const files: FileToPack[] = []
  for (const path of known.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    if (leftOut(path)) continue
    const found = await lstat(join(folder, path)).catch(() => null) // null: deleted, and not yet committed as such
    if (found?.isSymbolicLink()) files.push({ path, kind: 'link' })
    else if (found?.isFile()) files.push({ path, kind: 'file' })
  }
  return files
}

/** Paths that git follows or would, relative to the folder; null when it is no git work tree (or there is no git). */
async function gitFiles(folder: string): Promise<string[] | null> {
  const env = { HOME: process.env['HOME'] ?? '/', LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' }
  const argv = ['git', '-c', 'core.fsmonitor=false', '-C', folder, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'] as const
  const result = await runCommand({ argv: [...argv], env, timeoutMs: GIT_TIMEOUT_MS, maxOutputBytes: 64 * 1024 ** 2 }).catch(() => null)
  if (result === null || result.code !== 0 || result.truncated) return null
  return [...new Set(result.stdout.split('\0').filter((path) => path !== ''))]
}
