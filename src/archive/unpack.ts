import { createHash, type Hash } from 'node:crypto'
import { closeSync, constants, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { WeirError } from '../errors.ts'
import { linkProblem, pathProblem, shownPath } from './entry-rules.ts'
import { readTar, type TarEntry } from './tar-read.ts'

export interface UnpackLimits {
  /** Content of all files together. */
  readonly bytes: number
  readonly entries: number
}

/** What was unpacked, for a content digest; folders are known by what they hold. */
export interface UnpackedFile {
  readonly path: string
  readonly kind: 'file' | 'executable' | 'link'
  /** sha256 of the content in hex, or the link's target. */
  readonly content: string
}

/**
 * Unpacks a tar stream into the empty folder `into`, one checked entry after the other. Nothing is ever written through a link:
 * links are made last, and an entry below one is refused. On an error the caller removes `into`.
 *
 * @example await unpackTar(createReadStream('app.tar'), '/tmp/empty', { bytes: 2 ** 31, entries: 200_000 })
 */
export async function unpackTar(source: AsyncIterable<Uint8Array>, into: string, limits: UnpackLimits): Promise<UnpackedFile[]> {
  const rules = new EntryRules(limits)
  const unpacked: UnpackedFile[] = []
  const links: { path: string; target: string }[] = []
  let file: OpenFile | null = null
  const finish = () => {
    if (file) unpacked.push(file.close())
    file = null
  }
  try {
    for await (const part of readTar(source)) {
      if (part.part === 'data') {
        file?.write(part.bytes)
        continue
      }
      finish()
      if (part.part === 'end') break
      const { entry } = part
      rules.check(entry)
      if (entry.path === '') continue
      if (entry.kind === 'folder') makeFolder(into, entry.path)
      else if (entry.kind === 'link') links.push({ path: entry.path, target: entry.target ?? '' })
      else file = new OpenFile(into, entry)
    }
  } finally {
    file?.close()
  }
  for (const { path, target } of links) {
    makeFolder(into, dirname(path))
    symlinkSync(target, join(into, path))
    unpacked.push({ path, kind: 'link', content: target })
  }
  return unpacked
}

/** The rules that hold over a whole archive: sizes, doubles, nothing below a link. */
export class EntryRules {
  readonly #limits: UnpackLimits
  readonly #kinds = new Map<string, TarEntry['kind']>()
  #bytes = 0
  #entries = 0

  constructor(limits: UnpackLimits) {
    this.#limits = limits
  }

  check(entry: TarEntry): void {
    this.#count()
    this.#bytes += entry.size + Buffer.byteLength(entry.path) + Buffer.byteLength(entry.target ?? '') // names fill memory and disk, too
    if (this.#bytes > this.#limits.bytes) throw tooLarge(`more than ${Math.round(this.#limits.bytes / 1024 ** 2)} MiB of files`)
    if (entry.path === '' && entry.kind === 'folder') return
    const problem = pathProblem(entry.path) ?? (entry.kind === 'link' ? linkProblem(entry.path, entry.target ?? '') : null)
    if (problem) throw refused(entry.path, problem)
    for (let at = entry.path.indexOf('/'); at !== -1; at = entry.path.indexOf('/', at + 1)) {
      const above = entry.path.slice(0, at)
      const kind = this.#kinds.get(above)
      if (kind === undefined) {
        this.#count() // nobody named it, and it is made all the same
        this.#kinds.set(above, 'folder')
      } else if (kind !== 'folder') throw refused(entry.path, `lies below a ${kind}`)
    }
    const before = this.#kinds.get(entry.path)
    if (before !== undefined && !(before === 'folder' && entry.kind === 'folder')) throw refused(entry.path, 'is there twice')
    this.#kinds.set(entry.path, entry.kind)
  }

  #count(): void {
    if (++this.#entries > this.#limits.entries) throw tooLarge(`more than ${this.#limits.entries} files and folders`)
  }
}

class OpenFile {
  readonly #fd: number
  readonly #hash: Hash = createHash('sha256')
  readonly #entry: TarEntry

  constructor(into: string, entry: TarEntry) {
    makeFolder(into, dirname(entry.path))
    this.#entry = entry
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW
    this.#fd = openSync(join(into, entry.path), flags, entry.mode & 0o111 ? 0o755 : 0o644)
  }

  write(bytes: Buffer): void {
    this.#hash.update(bytes)
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at)
  }

  close(): UnpackedFile {
    closeSync(this.#fd)
    return { path: this.#entry.path, kind: this.#entry.mode & 0o111 ? 'executable' : 'file', content: this.#hash.digest('hex') }
  }
}

function makeFolder(into: string, path: string): void {
  if (path !== '.') mkdirSync(join(into, path), { recursive: true, mode: 0o755 })
}

function refused(path: string, problem: string): WeirError {
  return new WeirError('E_ARCHIVE', { message: `${shownPath(path)} ${problem}`, next: 'remove it from the source, then deploy again' })
}

function tooLarge(cause: string): WeirError {
  return new WeirError('E_SOURCE_TOO_LARGE', { message: 'the source is too large', cause, next: 'list what is not needed in .weirignore, then deploy again' })
}
