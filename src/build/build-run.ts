import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathProblem } from '../archive/entry-rules.ts'
import { padding } from '../archive/tar-read.ts'
import { listFolder, TAR_END, tarHeader, writeTar } from '../archive/tar-write.ts'
import { unpackTar } from '../archive/unpack.ts'
import type { Argv } from '../core/model/app-graph.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Artifact } from '../core/model/release.ts'
import type { Confined } from '../drivers/confined.ts'
import { WeirError } from '../errors.ts'
import type { Source } from '../source/source.ts'
import type { BuildRequest } from './builder.ts'
import { patiently, runConfined } from './confined-step.ts'
import type { BuildLimits } from './limits.ts'
import { type FolderFacts, type Install, READ, type Recipe, recipeFor } from './recipe.ts'
import { removeTree } from './remove-tree.ts'
import { npmMissing, type Runtimes } from './runtimes.ts'
import { asBuildError, type SlugStore } from './slug-store.ts'
import { STATIC_SERVER, startCommand } from './start-command.ts'

export interface BuildTools {
  /** `paths.builds`. */
  readonly root: string
  readonly source: Source
  readonly confined: Confined
  readonly runtimes: Runtimes
  readonly store: SlugStore
  readonly limits: BuildLimits
  /** Registry, proxy and certificates for package managers; never credentials. */
  readonly environment: Readonly<Record<string, string>>
}

export interface Run {
  readonly request: BuildRequest
  readonly key: string
  /** Names its confined jobs; within an epoch never used twice. */
  readonly serial: number
  readonly epoch: Epoch
  readonly logFolder: string
  /** From nothing: no kept dependencies, no package cache. */
  readonly fresh: boolean
  readonly signal: AbortSignal
  readonly seen: (lastLines: readonly string[]) => void
}

/** Files of installed dependencies carry this time, so that they are the same for every commit. */
const LAYER_TIME = Date.UTC(2000, 0, 1)
/** No tenant's: names begin with a letter. */
const FRESH_CACHE = '0-fresh'
const MAX_READ_BYTES = 32 * 1024 ** 2
const SITE_FOLDERS = ['dist', 'build', 'out', 'public', '_site'] as const
/** Git's own folder, and what the app's machine installed: a slug has neither. */
const LEFT_OUT = new Set(['.git'])

/**
 * One build from a tree to a slug. What belongs to the app runs confined, in `<root>/work/app`: the same path for every build, which
 * compilers write into their output. Weir itself only reads and packs what they left, and only when all their processes are gone.
 *
 * Until the first step Weir writes to a folder that is this build's alone, and after it only reads: a server that slept while another took
 * over has nothing in its hands that could disturb the other's build. What it read meanwhile is kept only if nobody had taken over.
 */
export async function runBuild(tools: BuildTools, run: Run): Promise<Artifact> {
  const work = new WorkFolder(tools, run)
  await work.make()
  const { request } = run
  await tools.source.export(request.tree, request.context, work.app)
  const facts = await readFacts(work.app)
  const recipe = recipeFor(facts, request)
  const runtime = recipe.language === 'python' ? await tools.runtimes.python() : await tools.runtimes.node(recipe.node)
  try {
    const layer = await provideDependencies(work, recipe, runtime)
    if (recipe.build) await work.step(recipe.build, runtime, { NODE_ENV: 'production' })
    if (recipe.prune) await work.step(recipe.prune, runtime, {})
    return await pack(work, recipe, runtime, layer)
  } catch (error) {
    throw asBuildError(error)
  } finally {
    await work.leave()
  }
}

/**
 * Dependencies are kept as a tar by what determines them. When nothing else has to run, that tar becomes part of the slug as it is, and
 * only changed code is packed. Returns its name when the slug is to be joined with it.
 */
async function provideDependencies(work: WorkFolder, recipe: Recipe, runtime: string): Promise<string | null> {
  const { install } = recipe
  if (!install) return null
  const { tools, run } = work
  const layer = install.dependsOn && !run.fresh ? layerName(install, runtime) : null
  const tenant = run.request.tenant
  if (layer && (await tools.store.hasLayer(tenant, layer))) {
    await work.note('dependencies unchanged')
    if (recipe.build) await unpackTar(tools.store.layer(tenant, layer), work.app, { bytes: tools.limits.diskBytes, entries: 500_000 })
    return recipe.build ? null : layer
  }
  await rm(join(work.app, install.folder), { recursive: true, force: true }) // what was committed by mistake
  await work.step(install.argv, runtime, {})
  if (!layer) return null
  const outside = (path: string) => (path !== install.folder && !path.startsWith(`${install.folder}/`)) || path === 'node_modules/.package-lock.json' // holds the app's name
  await tools.store.addLayer(tenant, layer, folderTar(work.app, outside, LAYER_TIME), () => work.confirm())
  return recipe.build ? null : layer
}

function layerName({ argv, folder, dependsOn }: Install, runtime: string): string {
  return createHash('sha256')
    .update(JSON.stringify([argv, folder, dependsOn, runtime, process.arch]))
    .digest('hex')
}

async function pack(work: WorkFolder, recipe: Recipe, runtime: string, layer: string | null): Promise<Artifact> {
  const { tools, run } = work
  const folder = await outputFolder(work.app, recipe)
  const facts = await readFacts(folder)
  const timeMs = run.request.tree.time || LAYER_TIME
  const { argv, serve } = startCommand(facts, await sitesIn(folder, facts))
  const installed = layer === null ? null : (recipe.install?.folder ?? null)
  const skip = (path: string, name: string) => LEFT_OUT.has(name) || path === STATIC_SERVER || path === installed
  const parts = [folderTar(folder, skip, timeMs)]
  if (serve !== null) parts.push(staticServerTar(timeMs))
  if (layer !== null) parts.push(tools.store.layer(run.request.tenant, layer) as AsyncGenerator<Buffer>)
  const { digest, bytes } = await tools.store.add(parts)
  const needsRuntime = argv?.[0] !== undefined || recipe.language !== 'any'
  const artifact: Artifact = { kind: 'slug', digest, key: run.key, bytes, command: argv, runtime: needsRuntime ? runtime : null }
  await work.confirm()
  await tools.store.name(artifact)
  await work.note(`slug ${digest.slice(0, 19)} ${(bytes / 1024 ** 2).toFixed(1)} MiB`)
  return artifact
}

async function outputFolder(app: string, { output }: Recipe): Promise<string> {
  const clean = output?.replace(/^(\.\/+)+/, '').replace(/\/+$/, '') ?? ''
  if (clean === '' || clean === '.') return app
  const problem = pathProblem(clean)
  if (problem) throw new WeirError('E_BUILD_FAILED', { message: `build.output ${problem}`, next: 'name a folder inside of the build context' })
  for (let at = clean.indexOf('/'); ; at = clean.indexOf('/', at + 1)) {
    const part = at === -1 ? clean : clean.slice(0, at)
    if (!(await lstat(join(app, part)).catch(() => null))?.isDirectory()) {
      throw new WeirError('E_BUILD_FAILED', {
        message: 'the build left no output',
        cause: `there is no folder ${part} after the build`,
        next: 'correct build.output in weir.yaml',
      })
    }
    if (at === -1) return join(app, clean)
  }
}

async function sitesIn(folder: string, facts: FolderFacts): Promise<string[]> {
  const sites = facts.names.includes('index.html') ? ['.'] : []
  for (const name of SITE_FOLDERS) {
    if (facts.names.includes(`${name}/`) && (await lstat(join(folder, name, 'index.html')).catch(() => null))?.isFile()) sites.push(name)
  }
  return sites
}

async function readFacts(folder: string): Promise<FolderFacts> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.map((it) => (it.isDirectory() ? `${it.name}/` : it.name)).sort()
  const texts: Record<string, string> = {}
  for (const name of READ) if (names.includes(name)) texts[name] = await readPlainFile(join(folder, name))
  return { names, texts }
}

/** A build may have put a link or a pipe in place of the file. */
async function readPlainFile(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => null)
  const found = await file?.stat()
  try {
    if (!file || !found?.isFile() || found.size > MAX_READ_BYTES)
      throw new WeirError('E_BUILD_FAILED', { message: `${path.slice(path.lastIndexOf('/') + 1)} is not a plain file of at most 32 MiB` })
    return await file.readFile('utf8')
  } finally {
    await file?.close()
  }
}

async function* folderTar(folder: string, skip: (path: string, name: string) => boolean, timeMs: number): AsyncGenerator<Buffer> {
  yield* writeTar(folder, await listFolder(folder, skip), timeMs)
  yield TAR_END
}

async function* staticServerTar(timeMs: number): AsyncGenerator<Buffer> {
  const server = await readFile(join(import.meta.dirname, 'static-server.mts'))
  const common = { target: '', timeMs }
  yield tarHeader({ path: '.weir/', type: '5', mode: 0o755, size: 0, ...common })
  yield tarHeader({ path: STATIC_SERVER, type: '0', mode: 0o644, size: server.length, ...common })
  yield Buffer.concat([server, Buffer.alloc(padding(server.length)), TAR_END])
}

/** `<root>/work/{app,home,tmp}`, made anew for each build in a stage of its own, and the tenant's package cache. */
class WorkFolder {
  readonly tools: BuildTools
  readonly run: Run
  readonly #stage: string
  readonly #work: string
  readonly #tenant: string
  #placed = false
  readonly #started = performance.now()
  #steps = 0

  constructor(tools: BuildTools, run: Run) {
    this.tools = tools
    this.run = run
    this.#stage = stageOf(run)
    this.#work = join(tools.root, 'work')
    this.#tenant = run.fresh ? FRESH_CACHE : run.request.tenant
  }

  get app(): string {
    return join(this.#placed ? this.#work : this.#staged, 'app')
  }
  get #staged(): string {
    return join(this.tools.root, this.#stage)
  }
  get #cache(): string {
    return join(this.tools.root, 'cache', this.#tenant, 'packages')
  }

  async make(): Promise<void> {
    await mkdir(this.#staged, { mode: 0o711 })
    for (const name of ['app', 'home', 'tmp']) await mkdir(join(this.#staged, name), { mode: 0o755 })
    await mkdir(this.run.logFolder, { recursive: true, mode: 0o700 })
  }

  /** Before the first step. */
  async #place(): Promise<void> {
    const { tools, run } = this
    await mkdir(join(this.#cache, '..'), { recursive: true, mode: 0o711 })
    const size = run.fresh ? null : await sizeOf(this.#cache)
    if (size === null || size > tools.limits.cacheBytes) await mkdir(join(this.#staged, 'packages'), { mode: 0o711 })
    await patiently(() => tools.confined.place({ stage: this.#stage, tenant: this.#tenant }, run.epoch))
    this.#placed = true
  }

  /** Throws when another server has taken over: what was read here may then be its build's. */
  async confirm(): Promise<void> {
    await patiently(() => this.tools.confined.confirm(this.run.epoch))
  }

  async leave(): Promise<void> {
    await removeTree(this.#staged)
    if (this.#placed) await this.tools.confined.clear(this.#tenant, this.run.epoch).catch(() => {}) // or whoever builds next does it
    await removeAside(this.tools.root)
  }

  async step(argv: Argv, runtime: string, more: Readonly<Record<string, string>>): Promise<void> {
    const { tools, run } = this
    run.signal.throwIfAborted()
    const bin = tools.runtimes.binOf(runtime)
    if (argv[0] === 'npm' && !(await lstat(join(bin, 'npm')).catch(() => null))) throw npmMissing()
    await this.note(argv.join(' '))
    if (!this.#placed) await this.#place()
    const cache = this.#cache
    const left = tools.limits.wallMs - (performance.now() - this.#started)
    const { cpu, memoryBytes, pids, diskBytes } = tools.limits
    await runConfined(
      tools.confined,
      {
        id: `${jobPrefix(run)}${this.#steps}`,
        argv,
        cwd: this.app,
        env: {
          ...tools.environment,
          PATH: `${bin}:/usr/local/bin:/usr/bin:/bin`,
          HOME: join(this.#work, 'home'),
          TMPDIR: join(this.#work, 'tmp'),
          LANG: 'C.UTF-8',
          TZ: 'UTC',
          CI: 'true',
          SOURCE_DATE_EPOCH: String(Math.floor((run.request.tree.time || LAYER_TIME) / 1000)),
          npm_config_cache: join(cache, 'npm'),
          npm_config_update_notifier: 'false',
          PIP_CACHE_DIR: join(cache, 'pip'),
          PYTHONDONTWRITEBYTECODE: '1',
          PYTHONHASHSEED: '0',
          ...more,
        },
        limits: { cpu, memoryBytes, pids, wallMs: Math.max(1000, Math.round(left)), diskBytes },
        own: [this.#work, cache],
        logFile: this.#logFile(),
      },
      run.epoch,
      run.seen,
    )
    run.signal.throwIfAborted()
  }

  /** A line of Weir's own in the build's log. */
  async note(text: string): Promise<void> {
    await writeFile(this.#logFile(), `-> ${text}\n`, { mode: 0o600 })
  }

  #logFile(): string {
    return join(this.run.logFolder, `${String(this.#steps++).padStart(3, '0')}.log`)
  }
}

function stageOf({ epoch, serial }: Pick<Run, 'epoch' | 'serial'>): string {
  return `stage-${epoch}-${serial}`
}

/** Whose stage a folder is; NaN: it is none. */
export function stageEpoch(name: string): Epoch {
  return Number(/^stage-(\d+)-/.exec(name)?.[1])
}

/** Its jobs are numbered behind this. */
export function jobPrefix({ epoch, serial }: Pick<Run, 'epoch' | 'serial'>): string {
  return `build-${epoch}-${serial}-`
}

/** What was moved out of the way of builds. */
export async function removeAside(root: string): Promise<void> {
  for (const name of await readdir(root)) if (name.startsWith('old-')) await removeTree(join(root, name))
}

/** null: there is none. */
async function sizeOf(folder: string): Promise<number | null> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => null)
  if (entries === null) return null
  let sum = 0
  for (const entry of entries) {
    if (entry.isFile()) sum += (await lstat(join(entry.parentPath, entry.name)).catch(() => null))?.size ?? 0
  }
  return sum
}
