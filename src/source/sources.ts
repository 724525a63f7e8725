import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pathProblem, shownPath } from '../archive/entry-rules.ts'
import type { StatePaths } from '../config.ts'
import { isWeirError, WeirError } from '../errors.ts'
import type { Reach } from '../reach.ts'
import { runCommand } from '../spawn.ts'
import type { Credentials } from './credentials.ts'
import { gitError } from './git-errors.ts'
import { SESSION_PREFIX, withGitSession } from './git-session.ts'
import { commitFacts, exportGitFolder, gitDigest, listGitFolder, noFolder, readGitFile, submodules } from './git-tree.ts'
import { Mirror, type MirrorLimits, mirrorName } from './mirror.ts'
import { addressesInReach } from './reach.ts'
import { isCommitId, isShortCommitId, refProblem } from './ref-name.ts'
import { parseRepositoryUrl, type RepositoryUrl, shownUrl } from './repository-url.ts'
import type { FetchableSource, ResolvedCommit, Source, SourceTree } from './source.ts'
import { exportUpload, listUploadFolder, readUploadFile, type UploadLimits, Uploads, uploadDigest } from './uploads.ts'

/** What is used a moment before a release names it is spared for this long. */
const SPARED_MS = 60 * 60_000

export interface KeptSources {
  /** Digests. */
  readonly uploads: ReadonlySet<string>
  readonly mirrors: readonly { readonly tenant: string; readonly url: string }[]
}

type GitRef = Extract<FetchableSource, { kind: 'git' }>

export interface SourcesOptions {
  readonly paths: Pick<StatePaths, 'mirrors' | 'uploads'>
  readonly credentials: Credentials
  /** How far a tenant's addresses may reach; the installation's own tenant may use this machine's paths. */
  readonly reach: (tenant: string) => Reach
  readonly limits?: Partial<SourceLimits>
}
export interface SourceLimits extends MirrorLimits, UploadLimits {
  /** For `resolve`, which asks for names only. */
  readonly resolveMs: number
}
const LIMITS: SourceLimits = { bytes: 2 * 1024 ** 3, entries: 200_000, streamBytes: 1024 ** 3, fetchMs: 10 * 60_000, resolveMs: 30_000 }

/**
 * Source code from git repositories and uploaded folders, kept under the state folder.
 *
 * @example
 * const sources = await Sources.open({ paths: statePaths(), credentials: async () => null, reach: () => 'network' })
 * const tree = await sources.fetch('acme', { kind: 'git', url: 'https://example.com/shop.git', ref: 'main', commit: null, path: '' })
 * await sources.export(tree, 'services/web', '/tmp/empty')
 */
export class Sources implements Source {
  readonly uploads: Uploads
  readonly #options: SourcesOptions
  readonly #limits: SourceLimits
  readonly #mirrors = new Map<string, Mirror>()

  private constructor(options: SourcesOptions) {
    this.#options = options
    this.#limits = { ...LIMITS, ...options.limits }
    this.uploads = new Uploads(options.paths.uploads, this.#limits)
  }

  /** Makes the folders and clears what a killed server left in them: sessions with credentials, half-made mirrors and uploads. */
  static async open(options: SourcesOptions): Promise<Sources> {
    for (const folder of [options.paths.mirrors, options.paths.uploads]) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const left = (await readdir(folder)).filter((name) => name.startsWith(SESSION_PREFIX) || name.startsWith('.new-'))
      await Promise.all(left.map((name) => rm(join(folder, name), { recursive: true, force: true })))
    }
    return new Sources(options)
  }

  async resolve(tenant: string, source: GitRef): Promise<ResolvedCommit> {
    const url = parseRepositoryUrl(source.url)
    const wanted = source.commit ?? source.ref
    if (wanted !== null && isCommitId(wanted)) return { commit: wanted, ref: source.commit === null ? null : source.ref }
    const problem = wanted === null ? null : refProblem(wanted)
    if (problem) throw new WeirError('E_SOURCE_NOT_FOUND', { message: `"${shownPath(wanted ?? '')}" is no branch, tag or commit`, cause: `it ${problem}` })
    return this.#session(tenant, url, async (env) => {
      const found = source.commit === null ? await this.#remoteRef(url, source.ref, env) : null
      if (found) return found
      if (wanted !== null && isShortCommitId(wanted)) return { commit: await this.#mirror(tenant, url).expand(url.url, wanted, env), ref: null }
      throw noSuchRef(url, wanted)
    })
  }

  async fetch(tenant: string, source: FetchableSource): Promise<SourceTree> {
    if (source.kind === 'upload')
      return { location: { kind: 'folder', path: await this.uploads.tree(tenant, source.digest) }, commit: null, time: 0, summary: null }
    const url = parseRepositoryUrl(source.url)
    const path = cleanPath(source.path)
    const { commit, ref } = await this.resolve(tenant, source)
    const mirror = this.#mirror(tenant, url)
    if (!(await mirror.has(commit))) await this.#session(tenant, url, (env) => mirror.fetch(url.url, commit, ref, env))
    await mirror.touch(new Date())
    const { time, subject, author } = await commitFacts(mirror, commit)
    const location = { kind: 'git', mirror: mirror.path, commit, path } as const
    if (path !== '' && (await listGitFolder({ mirror, commit, path })) === null) throw noFolder(path)
    return { location, commit, time, summary: { subject, author } }
  }

  async readFile(tree: SourceTree, path: string, maxBytes: number): Promise<Uint8Array | null> {
    const clean = cleanPath(path)
    return tree.location.kind === 'git' ? readGitFile(this.#at(tree.location, clean), maxBytes) : readUploadFile(tree.location.path, clean, maxBytes)
  }

  async list(tree: SourceTree, path: string): Promise<readonly string[] | null> {
    const clean = cleanPath(path)
    return tree.location.kind === 'git' ? listGitFolder(this.#at(tree.location, clean)) : listUploadFolder(tree.location.path, clean)
  }

  async digest(tree: SourceTree, path: string): Promise<string> {
    const clean = cleanPath(path)
    return tree.location.kind === 'git' ? gitDigest(this.#at(tree.location, clean)) : uploadDigest(tree.location.path, clean)
  }

  async export(tree: SourceTree, path: string, into: string): Promise<void> {
    const clean = cleanPath(path)
    if (tree.location.kind === 'git') await exportGitFolder(this.#at(tree.location, clean), into, this.#limits)
    else await exportUpload(tree.location.path, clean, into)
  }

  /** Submodules of the tree, which are not fetched: their folders stay empty. */
  async notFetched(tree: SourceTree): Promise<string[]> {
    return tree.location.kind === 'git' ? submodules(this.#mirrorAt(tree.location.mirror), tree.location.commit) : []
  }

  /** Removes the uploads and mirrors that are not kept and were not used since `before`. A mirror can be fetched again. */
  async collect(kept: KeptSources, before = new Date(Date.now() - SPARED_MS)): Promise<string[]> {
    const removed = await this.uploads.collect(kept.uploads, before)
    const mirrors = new Set(kept.mirrors.flatMap(({ tenant, url }) => mirrorOf(tenant, url) ?? []))
    for (const name of await readdir(this.#options.paths.mirrors)) {
      const path = join(this.#options.paths.mirrors, name)
      if (!name.endsWith('.git') || mirrors.has(name) || (await stat(path)).mtime >= before) continue
      await rm(path, { recursive: true, force: true })
      this.#mirrors.delete(path)
      removed.push(path)
    }
    return removed
  }

  #session<T>(tenant: string, url: RepositoryUrl, use: (env: Record<string, string>) => Promise<T>): Promise<T> {
    return (async () => {
      const addresses = await addressesInReach(url, this.#options.reach(tenant))
      const credential = await this.#options.credentials(tenant, url.url)
      return withGitSession(this.#options.paths.mirrors, url, credential, addresses, use)
    })()
  }

  /** Asks the host for names only. A branch comes before a tag of the same name, as in `git clone --branch`. */
  async #remoteRef(url: RepositoryUrl, ref: string | null, env: Record<string, string>): Promise<ResolvedCommit | null> {
    const full = ref?.startsWith('refs/') ? [ref] : ref === null ? ['HEAD'] : [`refs/heads/${ref}`, `refs/tags/${ref}`]
    const names = full.flatMap((it) => [it, `${it}^{}`])
    const result = await runCommand({
      argv: ['git', 'ls-remote', '--quiet', '--symref', '--end-of-options', url.url, ...names],
      env,
      timeoutMs: this.#limits.resolveMs,
    })
    if (result.timedOut)
      throw new WeirError('E_SOURCE_TIMEOUT', {
        message: `cannot read ${shownUrl(url.url)}`,
        cause: `no answer in ${this.#limits.resolveMs / 1000} s`,
        state: 'what runs goes on unchanged',
      })
    if (result.code !== 0) throw gitError(shownUrl(url.url), result.stderr)
    const lines = result.stdout.split('\n').map((line) => line.split('\t'))
    const commits = new Map(lines.filter(([id]) => id !== undefined && isCommitId(id)).map(([id, name]) => [name ?? '', id ?? '']))
    const head = /^ref: (refs\/heads\/\S+)$/.exec(lines.find(([id, name]) => id?.startsWith('ref: ') && name === 'HEAD')?.[0] ?? '')?.[1]
    for (const name of full) {
      const commit = commits.get(`${name}^{}`) ?? commits.get(name)
      if (commit !== undefined) return { commit, ref: name === 'HEAD' ? (head?.slice('refs/heads/'.length) ?? null) : ref }
    }
    if (ref === null) {
      throw new WeirError('E_SOURCE_EMPTY', {
        message: `${shownUrl(url.url)} has no commit yet`,
        cause: 'its default branch does not exist',
        next: 'git push, or name a branch',
      })
    }
    return null
  }

  #mirror(tenant: string, url: RepositoryUrl): Mirror {
    return this.#mirrorAt(join(this.#options.paths.mirrors, mirrorName(tenant, url.url)))
  }

  #mirrorAt(path: string): Mirror {
    const known = this.#mirrors.get(path) ?? new Mirror(path, this.#limits)
    this.#mirrors.set(path, known)
    return known
  }

  #at(location: Extract<SourceTree['location'], { kind: 'git' }>, path: string) {
    const whole = location.path === '' ? path : path === '' ? location.path : `${location.path}/${path}`
    return { mirror: this.#mirrorAt(location.mirror), commit: location.commit, path: whole }
  }
}

/** null: an address that a release asked for in vain has no mirror. */
function mirrorOf(tenant: string, url: string): string | null {
  try {
    return mirrorName(tenant, parseRepositoryUrl(url).url)
  } catch (error) {
    if (isWeirError(error, 'E_SOURCE_URL')) return null
    throw error
  }
}

function cleanPath(path: string): string {
  const clean = path.replace(/^(\.\/+)+/, '').replace(/\/+$/, '')
  if (clean === '' || clean === '.') return ''
  const problem = pathProblem(clean)
  if (problem) throw new WeirError('E_USAGE', { message: `the path ${shownPath(path)} ${problem}` })
  return clean
}

function noSuchRef(url: RepositoryUrl, ref: string | null): WeirError {
  return new WeirError('E_SOURCE_NOT_FOUND', {
    message: `${shownUrl(url.url)} has no branch, tag or commit "${shownPath(ref ?? 'HEAD')}"`,
    state: 'what runs goes on unchanged',
    next: 'check the name, and that it was pushed',
  })
}
