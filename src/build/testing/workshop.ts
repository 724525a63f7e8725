import { createReadStream } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { listFolder, TAR_END, writeTar } from '../../archive/tar-write.ts'
import { unpackTar } from '../../archive/unpack.ts'
import type { Epoch } from '../../core/model/epoch.ts'
import type { Confined } from '../../drivers/confined.ts'
import { Sources } from '../../source/sources.ts'
import type { BuildRequest, ObservedBuild } from '../builder.ts'
import { SlugBuilder, type SlugBuilderOptions } from '../slug-builder.ts'
import { PlainConfined } from './confined.ts'

const temporary: string[] = []
export async function removeTemporary(): Promise<void> {
  await Promise.all(temporary.map((path) => rm(path, { recursive: true, force: true })))
}
export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'weir-build-'))
  temporary.push(path)
  await chmod(path, 0o711)
  return path
}

export type Request = BuildRequest & { key: string }

/** A builder with everything it needs in a folder of its own, and short ways to use it. */
export async function workshop<C extends Confined = PlainConfined>(
  options: Partial<Omit<SlugBuilderOptions, 'confined'>> & { confined?: C; epoch?: Epoch } = {},
  home?: string,
) {
  const at = home ?? (await folder())
  const paths = {
    mirrors: join(at, 'mirrors'),
    uploads: join(at, 'uploads'),
    slugs: join(at, 'slugs'),
    builds: join(at, 'builds'),
    runtimes: join(at, 'runtimes'),
  }
  const sources = await Sources.open({ paths, credentials: async () => null, reach: () => 'machine' })
  const confined = (options.confined ?? new PlainConfined(paths.builds)) as C
  const builder = await SlugBuilder.open({ paths, source: sources, environment: {}, ...options, confined })
  const { epoch = 1 } = options
  builder.fence(epoch)
  const request = async (files: Readonly<Record<string, string>>, more: Partial<BuildRequest> = {}): Promise<Request> => {
    const from = await folder()
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(from, name)), { recursive: true })
      await writeFile(join(from, name), text)
    }
    async function* tar() {
      yield* writeTar(from, await listFolder(from), 0)
      yield TAR_END
    }
    const { digest } = await sources.uploads.receive('acme', tar())
    const tree = await sources.fetch('acme', { kind: 'upload', digest, label: 'test' })
    const made = { tenant: 'acme', app: 'shop', service: 'web', tree, context: '.', command: null, output: null, ...more }
    return { ...made, key: await builder.key(made) }
  }
  const ended = async (key: string): Promise<ObservedBuild> => {
    for (;;) {
      const seen = await builder.observe(key)
      if (seen && (seen.phase === 'succeeded' || seen.phase === 'failed')) return seen
      await sleep(5)
    }
  }
  const start = (it: Request) => builder.start(it, epoch)
  const built = async (it: Request): Promise<ObservedBuild> => {
    await start(it)
    return ended(it.key)
  }
  /** The artifact and its unpacked slug. */
  const slug = async (it: Request) => {
    const seen = await built(it)
    if (seen.phase !== 'succeeded') throw new Error(JSON.stringify(seen))
    const into = await folder()
    const files = await unpackTar(createReadStream(join(paths.slugs, `${seen.artifact.digest.slice(7)}.tar`)), into, { bytes: 2 ** 30, entries: 10_000 })
    return { artifact: seen.artifact, into, files: files.map(({ path }) => path).sort() }
  }
  const logOf = async (key: string, from = 0): Promise<string> => {
    const parts: Uint8Array[] = []
    for await (const part of builder.log(key, from)) parts.push(part)
    return Buffer.concat(parts).toString()
  }
  return { home: at, paths, sources, confined, builder, request, start, built, ended, slug, logOf }
}
