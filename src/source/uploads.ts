import { createHash } from 'node:crypto'
import { cp, lstat, mkdir, mkdtemp, open, readdir, readFile, rename, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { type UnpackedFile, type UnpackLimits, unpackTar } from '../archive/unpack.ts'
import { WeirError } from '../errors.ts'
import { fileTooLarge, linkRefused, noFolder } from './git-tree.ts'

export interface UploadLimits extends UnpackLimits {
  /** Of the stream as it arrives. */
  readonly streamBytes: number
}

/**
 * Folders that people sent: `<root>/<tenant>/<sha256>/{tree,files.json}`, named by what they hold and never changed. Each tenant has its own:
 * whoever guesses another's digest finds nothing, and learns nothing by sending the same.
 *
 * @example const { digest } = await uploads.receive('acme', request) // 'sha256:…'
 */
export class Uploads {
  readonly #root: string
  readonly #limits: UploadLimits

  constructor(root: string, limits: UploadLimits) {
    this.#root = root
    this.#limits = limits
  }

  /** Takes in a tar or tar.gz. The same content, in whatever order it was packed, has the same digest. */
  async receive(tenant: string, stream: AsyncIterable<Uint8Array>): Promise<{ digest: string; files: number }> {
    const own = join(this.#root, tenant)
    await mkdir(own, { recursive: true, mode: 0o700 })
    const fresh = await mkdtemp(join(own, '.new-'))
    try {
      const tree = join(fresh, 'tree')
      await mkdir(tree, { mode: 0o755 })
      const files = await unpackTar(inflated(capped(stream, this.#limits.streamBytes)), tree, this.#limits)
      if (files.length === 0) throw new WeirError('E_SOURCE_EMPTY', { message: 'the folder has no file', next: 'deploy a folder that holds your app' })
      const digest = contentDigest(files, '')
      await writeDurably(join(fresh, 'files.json'), JSON.stringify(files))
      await rename(fresh, this.#folder(tenant, digest)).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error // the same content is there already
      })
      await this.#touch(tenant, digest)
      return { digest, files: files.length }
    } finally {
      await rm(fresh, { recursive: true, force: true })
    }
  }

  /** The unpacked folder; `E_SOURCE_NOT_FOUND` when it was collected or this tenant never sent it. */
  async tree(tenant: string, digest: string): Promise<string> {
    const path = join(this.#folder(tenant, digest), 'tree')
    if (!(await kindOf(path)))
      throw new WeirError('E_SOURCE_NOT_FOUND', { message: 'the uploaded folder is gone', cause: `no upload ${digest}`, next: 'weir deploy' })
    await this.#touch(tenant, digest)
    return path
  }

  /** Removes all uploads but those in `keep` and those that were used after `before`. */
  async collect(keep: ReadonlySet<string>, before: Date): Promise<string[]> {
    const removed: string[] = []
    for (const tenant of await readdir(this.#root).catch(() => [])) {
      for (const name of await readdir(join(this.#root, tenant))) {
        const path = join(this.#root, tenant, name)
        const found = await lstat(path).catch(() => null)
        if (!found || keep.has(`sha256:${name}`) || found.mtime >= before) continue
        await rm(path, { recursive: true, force: true })
        removed.push(`sha256:${name}`)
      }
    }
    return removed
  }

  #folder(tenant: string, digest: string): string {
    const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1]
    if (hex === undefined) throw new WeirError('E_SOURCE_NOT_FOUND', { message: 'not the digest of an uploaded folder' })
    return join(this.#root, tenant, hex)
  }

  async #touch(tenant: string, digest: string): Promise<void> {
    const now = new Date()
    await utimes(this.#folder(tenant, digest), now, now).catch(() => {}) // only the order of collection depends on it
  }
}

/** sha256 over kind, path and content of every file below `below`, in byte order of the paths. */
export function contentDigest(files: readonly UnpackedFile[], below: string): string {
  const prefix = below === '' ? '' : `${below}/`
  const hash = createHash('sha256')
  const inside = files.filter(({ path }) => path.startsWith(prefix)).map((file) => ({ ...file, path: file.path.slice(prefix.length) }))
  for (const { kind, path, content } of inside.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))) {
    hash.update(`${kind}\0${path}\0${content}\0`)
  }
  return `sha256:${hash.digest('hex')}`
}

export async function uploadDigest(tree: string, below: string): Promise<string> {
  const files = JSON.parse(await readFile(join(tree, '../files.json'), 'utf8')) as UnpackedFile[]
  if (below !== '' && !files.some(({ path }) => path.startsWith(`${below}/`))) throw noFolder(below)
  return contentDigest(files, below)
}

export async function readUploadFile(tree: string, path: string, maxBytes: number): Promise<Uint8Array | null> {
  await refuseLinkAbove(tree, path)
  const found = await kindOf(join(tree, path))
  if (found?.isSymbolicLink()) throw linkRefused(path)
  if (!found?.isFile()) return null
  if (found.size > maxBytes) throw fileTooLarge(path, maxBytes)
  return readFile(join(tree, path))
}

export async function listUploadFolder(tree: string, path: string): Promise<string[] | null> {
  await refuseLinkAbove(tree, path)
  const found = await kindOf(join(tree, path))
  if (!found?.isDirectory()) return null
  const entries = await readdir(join(tree, path), { withFileTypes: true })
  return entries.map((it) => (it.isDirectory() ? `${it.name}/` : it.name)).sort()
}

export async function exportUpload(tree: string, path: string, into: string): Promise<void> {
  await refuseLinkAbove(tree, path)
  if (!(await kindOf(join(tree, path)))?.isDirectory()) throw noFolder(path)
  await cp(join(tree, path), into, { recursive: true, verbatimSymlinks: true })
}

async function refuseLinkAbove(tree: string, path: string): Promise<void> {
  const segments = path.split('/')
  for (let n = 1; n < segments.length; n++) {
    const above = segments.slice(0, n).join('/')
    if ((await kindOf(join(tree, above)))?.isSymbolicLink()) throw linkRefused(above)
  }
}

function kindOf(path: string) {
  return lstat(path).catch(() => null)
}

async function* capped(stream: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let seen = 0
  for await (const chunk of stream) {
    seen += chunk.length
    if (seen > bytes)
      throw new WeirError('E_SOURCE_TOO_LARGE', {
        message: 'the upload is too large',
        cause: `over ${Math.round(bytes / 1024 ** 2)} MiB`,
        next: 'list what is not needed in .weirignore',
      })
    yield chunk
  }
}

/** Unzips when the stream begins like gzip. */
async function* inflated(stream: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let begin = Buffer.alloc(0)
  while (begin.length < 2) {
    const next = await stream.next()
    if (next.done) break
    begin = Buffer.concat([begin, next.value])
  }
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield begin
    yield* stream
  }
  if (begin[0] !== 0x1f || begin[1] !== 0x8b) {
    yield* whole()
    return
  }
  yield* gunzipped(whole())
}

async function* gunzipped(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip()
  const feed = (async () => {
    for await (const chunk of stream) {
      if (!gunzip.write(chunk)) await new Promise((resolve) => gunzip.once('drain', resolve).once('close', resolve))
      if (gunzip.destroyed) return
    }
    gunzip.end()
  })().catch((error: Error) => gunzip.destroy(error))
  try {
    yield* gunzip
  } catch (error) {
    if (error instanceof WeirError) throw error
    throw new WeirError('E_ARCHIVE', { message: 'the archive is damaged', cause: (error as Error).message }, { cause: error })
  } finally {
    gunzip.destroy()
    await feed
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}
