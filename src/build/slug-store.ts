import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, readFile, rename, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { padding, readTar } from '../archive/tar-read.ts'
import { TAR_END } from '../archive/tar-write.ts'
import { EntryRules } from '../archive/unpack.ts'
import type { Artifact } from '../core/model/release.ts'
import { WeirError } from '../errors.ts'

export interface KeptSlugs {
  /** Digests. */
  readonly slugs: ReadonlySet<string>
  readonly buildKeys: ReadonlySet<string>
}

/**
 * Finished slugs by digest, and which build key made which:
 *
 *   <root>/<hex>.tar     the slug, never changed
 *   <root>/keys/<key>    its artifact as JSON, written last: what it names is complete
 *
 * and, apart from the slugs, installed dependencies as tars of their own (*layers*), one set a tenant.
 */
export class SlugStore {
  readonly #slugs: string
  readonly #layers: string
  readonly #limits: { readonly bytes: number; readonly entries: number }

  constructor(slugs: string, layers: string, maxBytes: number) {
    this.#slugs = slugs
    this.#layers = layers
    this.#limits = { bytes: maxBytes, entries: 500_000 }
  }

  async open(): Promise<void> {
    await mkdir(this.#slugs, { recursive: true, mode: 0o711 })
    for (const folder of [join(this.#slugs, 'keys'), this.#layers]) await mkdir(folder, { recursive: true, mode: 0o700 })
  }

  /** Removes what a server that no longer leads left half written. */
  async sweep(): Promise<void> {
    const left = (await readdir(this.#slugs)).filter((name) => name.startsWith('.new-'))
    await Promise.all(left.map((name) => rm(join(this.#slugs, name), { force: true })))
  }

  async find(key: string): Promise<Artifact | null> {
    const text = await readFile(join(this.#slugs, 'keys', key), 'utf8').catch(() => null)
    if (text === null) return null
    const artifact = JSON.parse(text) as Artifact
    return (await lstat(this.pathOf(artifact.digest)).catch(() => null)) ? artifact : null
  }

  pathOf(digest: string): string {
    return join(this.#slugs, `${digest.slice('sha256:'.length)}.tar`)
  }

  /** Joins tars without end marks into one slug under its digest. Every entry is checked: what a build made is not to be trusted. */
  async add(parts: readonly AsyncIterable<Uint8Array>[]): Promise<{ digest: string; bytes: number }> {
    const { path, digest, bytes } = await writeTarFile(this.#slugs, parts, this.#limits)
    await rename(path, this.pathOf(digest))
    await syncFolder(this.#slugs)
    return { digest, bytes }
  }

  async name(artifact: Artifact): Promise<void> {
    await replaceFile(join(this.#slugs, 'keys', artifact.key), JSON.stringify(artifact))
  }

  /** Whether it is there; then it counts as used now. */
  async hasLayer(tenant: string, layer: string): Promise<boolean> {
    const now = new Date()
    return utimes(this.#layer(tenant, layer), now, now).then(
      () => true,
      () => false,
    )
  }

  layer(tenant: string, layer: string): AsyncIterable<Uint8Array> {
    return createReadStream(this.#layer(tenant, layer), { highWaterMark: 256 * 1024 })
  }

  /** `confirm` throws when what was read must not be kept. */
  async addLayer(tenant: string, layer: string, part: AsyncIterable<Uint8Array>, confirm: () => Promise<void>): Promise<void> {
    const folder = join(this.#layers, tenant)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const { path } = await writeTarFile(folder, [part], this.#limits)
    try {
      await confirm()
    } catch (error) {
      await rm(path, { force: true })
      throw error
    }
    await rename(path, this.#layer(tenant, layer))
  }

  /** Removes slugs that are neither kept by digest nor by key and that nobody wanted since `before`, with the keys that lead to them. */
  async collect(kept: KeptSlugs, before: Date): Promise<string[]> {
    const removed: string[] = []
    const wanted = new Set(kept.slugs)
    for (const key of kept.buildKeys) {
      const artifact = await this.find(key)
      if (artifact) wanted.add(artifact.digest)
    }
    for (const name of await readdir(this.#slugs)) {
      const hex = /^([0-9a-f]{64})\.tar$/.exec(name)?.[1]
      const path = join(this.#slugs, name)
      if (hex === undefined || wanted.has(`sha256:${hex}`) || (await lstat(path)).mtime >= before) continue
      await rm(path, { force: true })
      removed.push(`sha256:${hex}`)
    }
    for (const key of await readdir(join(this.#slugs, 'keys'))) {
      if ((await this.find(key)) === null) await rm(join(this.#slugs, 'keys', key), { force: true })
    }
    for (const tenant of await readdir(this.#layers)) {
      for (const layer of await readdir(join(this.#layers, tenant))) {
        const path = join(this.#layers, tenant, layer)
        if ((await lstat(path)).mtime < before) await rm(path, { force: true })
      }
    }
    return removed
  }

  #layer(tenant: string, layer: string): string {
    return join(this.#layers, tenant, `${layer}.tar`)
  }
}

/** Puts `text` in place of the file as a whole or not at all, and not before it is on the disk. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const fresh = `${path}.new-${process.pid}`
  const file = await open(fresh, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(fresh, path)
}

async function writeTarFile(folder: string, parts: readonly AsyncIterable<Uint8Array>[], limits: { bytes: number; entries: number }) {
  const path = join(folder, `.new-${process.pid}-${Math.trunc(performance.now() * 1000)}`)
  const file = await open(path, 'wx', 0o600)
  try {
    const { digest, bytes } = await joinTars(file, parts, new EntryRules(limits))
    await file.sync()
    return { path, digest, bytes }
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

const WRITE_BYTES = 1024 * 1024

async function joinTars(file: FileHandle, parts: readonly AsyncIterable<Uint8Array>[], rules: EntryRules): Promise<{ digest: string; bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  let waiting: Buffer[] = []
  let size = 0
  const flush = async () => {
    const all = Buffer.concat(waiting)
    waiting = []
    size = 0
    hash.update(all)
    bytes += all.length
    await file.writeFile(all)
  }
  const write = async (chunk: Buffer) => {
    waiting.push(chunk)
    size += chunk.length
    if (size >= WRITE_BYTES) await flush()
  }
  for (const part of parts) {
    let pad = 0
    for await (const it of readTar(part)) {
      if (it.part !== 'data' && pad > 0) await write(Buffer.alloc(pad))
      if (it.part === 'entry') {
        rules.check(it.entry)
        await write(it.header)
        pad = padding(it.entry.size)
      } else if (it.part === 'data') await write(it.bytes)
    }
  }
  await write(TAR_END)
  await flush()
  return { digest: `sha256:${hash.digest('hex')}`, bytes }
}

/** A rename is durable only once its folder is on the disk. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** What a build wrote that cannot be taken over is the build's fault, not an upload's. */
export function asBuildError(error: unknown): unknown {
  if (!(error instanceof WeirError)) return error
  if (error.code === 'E_ARCHIVE')
    return new WeirError(
      'E_BUILD_FAILED',
      { ...error.explanation, message: `the build's output cannot be used: ${error.explanation.message}` },
      { cause: error },
    )
  if (error.code === 'E_SOURCE_TOO_LARGE')
    return new WeirError('E_BUILD_TOO_LARGE', { ...error.explanation, message: "the build's output is too large" }, { cause: error })
  return error
}
