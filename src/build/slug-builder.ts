import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rm, statfs, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { StatePaths } from '../config.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Artifact } from '../core/model/release.ts'
import type { Confined } from '../drivers/confined.ts'
import { isWeirError, WeirError } from '../errors.ts'
import type { Source } from '../source/source.ts'
import { followLog } from './build-log.ts'
import { type BuildTools, jobPrefix, removeAside, runBuild, stageEpoch } from './build-run.ts'
import type { Builder, BuildRequest, ObservedBuild } from './builder.ts'
import { Interrupted, patiently } from './confined-step.ts'
import { BUILD_LIMITS, type BuildLimits } from './limits.ts'
import { removeTree } from './remove-tree.ts'
import { Runtimes } from './runtimes.ts'
import { slugDifferences } from './slug-differences.ts'
import { type KeptSlugs, replaceFile, SlugStore } from './slug-store.ts'

/** Grows when the same source would become another slug. */
const BUILDER_VERSION = 1
const LAST_LINES = 30
const ATTEMPTS = 3
/** More than any recipe has; jobs are numbered from 0. */
const MAX_STEPS = 8
/** What is built a moment before a release names it is spared for this long. */
const SPARED_MS = 60 * 60_000

export interface SlugBuilderOptions {
  readonly paths: Pick<StatePaths, 'slugs' | 'builds' | 'runtimes'>
  readonly source: Source
  readonly confined: Confined
  readonly limits?: Partial<BuildLimits>
  /** What package managers are told about this machine; the default takes registry, proxy and certificates from Weir's own environment. */
  readonly environment?: Readonly<Record<string, string>>
}

type Build = {
  readonly request: BuildRequest
  readonly key: string
  readonly epoch: Epoch
  readonly abort: AbortController
  since: number | null
  lastLines: readonly string[]
}
type Failure = Extract<ObservedBuild, { phase: 'failed' }>

/**
 * Builds slugs, one after the other.
 *
 * @example
 * const builder = await SlugBuilder.open({ paths: statePaths(), source, confined })
 * const key = await builder.key(request)
 * builder.fence(epoch)
 * await builder.start({ ...request, key }, epoch)
 * const { phase } = (await builder.observe(key)) ?? {}
 */
export class SlugBuilder implements Builder {
  readonly #tools: BuildTools
  readonly #queue: Build[] = []
  #running: Build | null = null
  readonly #failures = new Map<string, Failure>()
  /** Built by this process and not found ready: what `cached` tells. */
  readonly #made = new Set<string>()
  readonly #watchers = new Set<(key: string) => void>()
  #epoch: Epoch = 0
  /** Counts builds of this process, which no other process shares an epoch with. */
  #serial = 0
  /** Jobs of earlier epochs may still run; they must have ended before anything is built. */
  #tookOver: Epoch = 0
  /** A job of the last build may still run. */
  #mayRun: string | null = null
  /** Whatever needs the one work folder waits here for its turn. */
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(tools: BuildTools) {
    this.#tools = tools
  }

  /** Makes the folders. Nothing is ended or removed yet: another server may lead, and build. */
  static async open(options: SlugBuilderOptions): Promise<SlugBuilder> {
    const { paths } = options
    const limits = { ...BUILD_LIMITS, ...options.limits }
    const environment = options.environment ?? buildEnvironment(process.env)
    await mkdir(paths.builds, { recursive: true, mode: 0o711 })
    for (const name of ['logs', 'failed']) await mkdir(join(paths.builds, name), { recursive: true, mode: 0o700 })
    const store = new SlugStore(paths.slugs, join(paths.builds, 'layers'), limits.diskBytes)
    await store.open()
    const runtimes = new Runtimes(paths.runtimes, environment)
    return new SlugBuilder({ root: paths.builds, source: options.source, confined: options.confined, runtimes, store, limits, environment })
  }

  fence(epoch: Epoch): void {
    this.#epoch = epoch
    for (const { key } of this.#queue.splice(0)) this.#changed(key) // wanted in the name of an earlier epoch; asked for again
    void this.#inTurn(() => this.#takeOver(epoch).catch(() => {})) // tried again before the first build
  }

  async key(request: BuildRequest): Promise<string> {
    const content = await this.#tools.source.digest(request.tree, request.context)
    const { tenant, command, output } = request
    // The tenant is part of it: what one tenant's package cache made is never another's.
    return createHash('sha256')
      .update(JSON.stringify([BUILDER_VERSION, tenant, content, command, output, this.#tools.runtimes.fingerprint(), process.arch]))
      .digest('hex')
  }

  async start(request: BuildRequest & { readonly key: string }, epoch: Epoch): Promise<void> {
    const { key } = request
    checkKey(key)
    if (epoch !== this.#epoch) throw new WeirError('E_STALE_EPOCH', { message: 'this server no longer leads', cause: `epoch ${epoch} is over` })
    if (this.#find(key)) return
    const artifact = await this.#tools.store.find(key)
    if (artifact) {
      const now = new Date()
      await utimes(this.#tools.store.pathOf(artifact.digest), now, now) // collection spares what was wanted lately
      return
    }
    if (this.#find(key)) return
    const build: Build = { request, key, epoch, abort: new AbortController(), since: null, lastLines: [] }
    this.#queue.push(build)
    this.#failures.delete(key)
    await rm(this.#failureFile(key), { force: true })
    this.#changed(key)
    void this.#inTurn(() => this.#run(build))
  }

  async observe(key: string): Promise<ObservedBuild | null> {
    checkKey(key)
    if (this.#running?.key === key) return { phase: 'running', since: this.#running.since ?? 0, lastLines: this.#running.lastLines }
    const position = this.#queue.findIndex((it) => it.key === key)
    if (position !== -1) return { phase: 'queued', position: position + 1 }
    const failure = this.#failures.get(key)
    if (failure) return failure
    const artifact = await this.#tools.store.find(key)
    if (artifact) return { phase: 'succeeded', artifact, cached: !this.#made.has(key) }
    const text = await readFile(this.#failureFile(key), 'utf8').catch(() => null)
    return text === null ? null : (JSON.parse(text) as Failure)
  }

  async cancel(key: string): Promise<void> {
    const build = this.#find(key)
    build?.abort.abort()
    const at = this.#queue.findIndex((it) => it.key === key)
    if (at !== -1) this.#queue.splice(at, 1)
    else if (build) await this.#endJobs(build.epoch)
    if (build) this.#changed(key)
  }

  log(key: string, from: number): AsyncIterable<Uint8Array> {
    checkKey(key)
    return followLog(this.#logFolder(key), from, () => this.#find(key) !== null)
  }

  watch(changed: (key: string) => void): () => void {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  verify(request: BuildRequest, epoch: Epoch): Promise<readonly string[]> {
    return this.#inTurn(async () => {
      await this.#takeOver(epoch)
      await this.#endJobs(epoch)
      const root = join(this.#tools.root, 'verify')
      const store = new SlugStore(join(root, 'slugs'), join(root, 'layers'), this.#tools.limits.diskBytes)
      await rm(root, { recursive: true, force: true })
      try {
        await store.open()
        const made: Artifact[] = []
        for (const key of ['first', 'second']) {
          const logFolder = join(root, 'logs', key)
          const common = { request, key, logFolder, fresh: true, signal: new AbortController().signal, seen: () => {} }
          made.push(await runBuild({ ...this.#tools, store }, { ...common, ...this.#named(epoch) }))
        }
        const [first, second] = made.map(({ digest }) => store.pathOf(digest))
        return first === undefined || second === undefined || first === second ? [] : await slugDifferences(first, second)
      } finally {
        await rm(root, { recursive: true, force: true })
      }
    })
  }

  /**
   * Removes what is not kept and nobody wanted since `before`: slugs, logs, failures and dependencies. Returns the digests of the slugs,
   * whose unpacked folders are the runner's to remove.
   */
  async collect(kept: KeptSlugs, before = new Date(Date.now() - SPARED_MS)): Promise<string[]> {
    const removed = await this.#tools.store.collect(kept, before)
    for (const key of await readdir(join(this.#tools.root, 'logs'))) {
      if (kept.buildKeys.has(key) || this.#find(key) || (await this.#tools.store.find(key))) continue
      const failure = await open(this.#failureFile(key)).catch(() => null)
      const recent = failure !== null && (await failure.stat()).mtime >= before
      await failure?.close()
      if (recent) continue
      await rm(this.#logFolder(key), { recursive: true, force: true })
      await rm(this.#failureFile(key), { force: true })
      this.#failures.delete(key)
    }
    return removed
  }

  async #run(build: Build): Promise<void> {
    const at = this.#queue.indexOf(build)
    if (at === -1) return // cancelled while it waited
    this.#queue.splice(at, 1)
    this.#running = build
    build.since = Date.now()
    this.#changed(build.key)
    try {
      await this.#attempt(build, ATTEMPTS)
      this.#made.add(build.key)
    } catch (error) {
      if (!build.abort.signal.aborted && (await this.#leads(build, error))) await this.#remember(build, error)
    } finally {
      this.#running = null
      this.#changed(build.key)
    }
  }

  async #attempt(build: Build, left: number): Promise<void> {
    const { request, key, abort, epoch } = build
    try {
      await this.#checkReserve()
      await this.#takeOver(epoch)
      await this.#endJobs(epoch)
      await patiently(() => this.#tools.confined.confirm(epoch))
      const logFolder = this.#logFolder(key)
      await rm(logFolder, { recursive: true, force: true })
      const seen = (lastLines: readonly string[]) => (build.lastLines = lastLines.slice(-LAST_LINES))
      await runBuild(this.#tools, { request, key, ...this.#named(epoch), logFolder, fresh: false, signal: abort.signal, seen })
      this.#mayRun = null
    } catch (error) {
      if (!(error instanceof Interrupted) || abort.signal.aborted || left <= 1) throw error
      await this.#attempt(build, left - 1)
    }
  }

  async #remember(build: Build, error: unknown): Promise<void> {
    const known = isWeirError(error)
      ? error
      : new WeirError('E_BUILD_FAILED', { message: 'the build failed', cause: diskIsFull(error) ? 'the disk is full' : (error as Error).message })
    const code = diskIsFull(error) ? 'E_DISK_FULL' : known.code
    const { message, cause } = known.explanation
    const failure: Failure = { phase: 'failed', code, cause: cause === undefined ? message : `${message}: ${cause}`, lastLines: build.lastLines }
    this.#failures.set(build.key, failure)
    await replaceFile(this.#failureFile(build.key), JSON.stringify(failure)).catch(() => {}) // kept in memory; a restart builds again
  }

  async #checkReserve(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#tools.root)
    const { reserveBytes } = this.#tools.limits
    if (bavail * bsize >= reserveBytes) return
    throw new WeirError('E_DISK_FULL', {
      message: 'the disk is too full to build',
      cause: `under ${Math.round(reserveBytes / 1024 ** 2)} MiB are free, which is kept for what runs`,
      state: 'what runs goes on',
      next: 'free space, then weir deploy',
    })
  }

  /** Names the jobs of one more attempt. */
  #named(epoch: Epoch): { readonly epoch: Epoch; readonly serial: number } {
    const run = { epoch, serial: ++this.#serial }
    this.#mayRun = jobPrefix(run)
    return run
  }

  /** Ends what servers of lower epochs left running, and removes what they left lying about. */
  async #takeOver(epoch: Epoch): Promise<void> {
    if (this.#tookOver === epoch) return
    await patiently(() => this.#tools.confined.takeOver(epoch))
    await this.#tools.store.sweep()
    for (const name of await readdir(this.#tools.root)) if (stageEpoch(name) < epoch) await removeTree(join(this.#tools.root, name))
    await removeAside(this.#tools.root)
    this.#tookOver = epoch
  }

  /** Ends what the last build of our own may have running: at most a few steps. */
  async #endJobs(epoch: Epoch): Promise<void> {
    const prefix = this.#mayRun
    if (prefix === null) return
    for (let step = 0; step < MAX_STEPS; step++) await patiently(() => this.#tools.confined.stop(`${prefix}${step}`, epoch))
    if (this.#mayRun === prefix) this.#mayRun = null
  }

  /** Whether a failure is the build's own: what fails because another server took over is built again there. */
  async #leads({ epoch }: Build, error: unknown): Promise<boolean> {
    if (isWeirError(error, 'E_STALE_EPOCH')) return false
    return patiently(() => this.#tools.confined.confirm(epoch)).then(
      () => true,
      (refused) => !isWeirError(refused, 'E_STALE_EPOCH'),
    )
  }

  #find(key: string): Build | null {
    return this.#running?.key === key ? this.#running : (this.#queue.find((it) => it.key === key) ?? null)
  }
  #logFolder(key: string): string {
    return join(this.#tools.root, 'logs', key)
  }
  #failureFile(key: string): string {
    return join(this.#tools.root, 'failed', key)
  }
  #changed(key: string): void {
    for (const watcher of this.#watchers) watcher(key)
  }
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(work, work)
    this.#turn = next.catch(() => {})
    return next
  }
}

/** Registry, proxies and certificates; a value that holds a user and password is left out: a build gets no secrets. */
export function buildEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const names = /^(https?_proxy|no_proxy|node_extra_ca_certs|ssl_cert_file|npm_config_(registry|cafile)|pip_(index_url|extra_index_url|find_links|cert))$/i
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => names.test(entry[0]) && entry[1] !== undefined && !/\/\/[^/]*@/.test(entry[1])),
  )
}

function checkKey(key: string): void {
  if (!/^[0-9a-f]{64}$/.test(key)) throw new WeirError('E_NOT_FOUND', { message: 'not the key of a build' })
}

function diskIsFull(error: unknown): boolean {
  return isWeirError(error, 'E_DISK_FULL') || (error as NodeJS.ErrnoException | null)?.code === 'ENOSPC'
}
