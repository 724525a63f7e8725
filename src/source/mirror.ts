import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { WeirError } from '../errors.ts'
import { type CommandResult, runCommand } from '../spawn.ts'
import { gitError } from './git-errors.ts'
import { gitEnvironment } from './git-session.ts'
import { shownUrl } from './repository-url.ts'

export interface MirrorLimits {
  readonly bytes: number
  readonly fetchMs: number
}

/** Files are taken as they are committed: no line-end conversion, no filters, nothing left out of or written into an archive. */
const ATTRIBUTES = '* -text !eol -ident -filter -working-tree-encoding -export-ignore -export-subst\n'
const LOCAL_TIMEOUT_MS = 60_000
const SIZE_LOOK_MS = 250

/** The bare repository in which one tenant's view of one address is kept. Never shared: another tenant may not see the same. */
export function mirrorName(tenant: string, url: string): string {
  return `${createHash('sha256').update(`${tenant}\0${url}`).digest('hex').slice(0, 32)}.git`
}

/**
 * A bare mirror on disk. Commits are fetched without their history, and each that was ever wanted is held by a ref of its own, so that a
 * release stays buildable after a force-push. What a killed git left behind is cleared away; a mirror that git cannot read is made anew.
 */
export class Mirror {
  readonly path: string
  readonly #limits: MirrorLimits
  #turn: Promise<unknown> = Promise.resolve()

  constructor(path: string, limits: MirrorLimits) {
    this.path = path
    this.#limits = limits
  }

  async has(commit: string): Promise<boolean> {
    if (!(await exists(join(this.path, 'HEAD')))) return false
    const { code } = await this.git(['rev-parse', '--verify', '--quiet', '--end-of-options', `refs/weir/${commit}^{tree}`])
    return code === 0
  }

  /** Makes `commit` part of the mirror. One fetch at a time; `ref` helps where a host gives out only the tips of branches. */
  fetch(url: string, commit: string, ref: string | null, env: Record<string, string>): Promise<void> {
    return this.#inTurn(async () => {
      if (await this.has(commit)) return
      await this.#prepare()
      try {
        await this.#fetchCommit(url, commit, ref, env)
      } catch (error) {
        if (!(error instanceof DamagedMirror)) throw error
        await rm(this.path, { recursive: true, force: true })
        await this.#prepare()
        await this.#fetchCommit(url, commit, ref, env)
      }
    })
  }

  /** The one commit whose id begins with `short`; needs the history, so all of it is fetched. */
  expand(url: string, short: string, env: Record<string, string>): Promise<string> {
    return this.#inTurn(async () => {
      await this.#prepare()
      const result = await this.#fetch(url, ['--unshallow', '+refs/heads/*:refs/weir-heads/*', '+refs/tags/*:refs/weir-tags/*'], env)
      if (result.code !== 0 && /--unshallow on a complete repository/.test(result.stderr)) {
        const again = await this.#fetch(url, ['+refs/heads/*:refs/weir-heads/*', '+refs/tags/*:refs/weir-tags/*'], env)
        if (again.code !== 0) throw gitError(shownUrl(url), again.stderr)
      } else if (result.code !== 0) throw gitError(shownUrl(url), result.stderr)
      const { code, stdout, stderr } = await this.git(['rev-parse', '--verify', '--end-of-options', `${short}^{commit}`])
      if (code !== 0) throw gitError(shownUrl(url), /ambiguous/.test(stderr) ? `fatal: ${short} is ambiguous` : `fatal: bad object ${short}`)
      const commit = stdout.trim()
      await this.git(['update-ref', `refs/weir/${commit}`, commit])
      return commit
    })
  }

  /** git on the mirror alone: no network, no credentials. */
  git(
    args: readonly string[],
    options: { maxOutputBytes?: number; onOutput?: (chunk: Buffer, stream: 'stdout' | 'stderr') => void } = {},
  ): Promise<CommandResult> {
    return runCommand({ argv: ['git', '--git-dir', this.path, ...args], env: gitEnvironment(), timeoutMs: LOCAL_TIMEOUT_MS, ...options })
  }

  async touch(now: Date): Promise<void> {
    await utimes(this.path, now, now).catch(() => {}) // only the order of collection depends on it
  }

  async #fetchCommit(url: string, commit: string, ref: string | null, env: Record<string, string>): Promise<void> {
    const into = `refs/weir/${commit}`
    let result = await this.#fetch(url, ['--depth=1', `+${commit}:${into}`], env)
    if (result.code !== 0 && ref !== null && /not our ref|unadvertised object|remote error|does not support/i.test(result.stderr)) {
      result = await this.#fetch(url, [`+${ref}:refs/weir-tip`], env)
      if (result.code === 0) result = await this.git(['update-ref', into, commit])
    }
    if (result.code !== 0) throw gitError(shownUrl(url), result.stderr)
    if (!(await this.has(commit))) throw new DamagedMirror()
  }

  async #fetch(url: string, refspecs: readonly string[], env: Record<string, string>): Promise<CommandResult> {
    const argv = [
      'git',
      '--git-dir',
      this.path,
      'fetch',
      '--quiet',
      '--no-tags',
      '--no-write-fetch-head',
      '--no-auto-maintenance',
      '--no-recurse-submodules',
      '--update-shallow',
    ] as const
    const options = refspecs.filter((it) => it.startsWith('--'))
    const rest = refspecs.filter((it) => !it.startsWith('--'))
    const tooLarge = new AbortController()
    const watch = setInterval(() => {
      void sizeOf(this.path).then((bytes) => bytes > this.#limits.bytes && tooLarge.abort())
    }, SIZE_LOOK_MS)
    try {
      const result = await runCommand({
        argv: [...argv, ...options, '--end-of-options', url, ...rest],
        env,
        timeoutMs: this.#limits.fetchMs,
        signal: tooLarge.signal,
      })
      if (tooLarge.signal.aborted || (await sizeOf(this.path)) > this.#limits.bytes) {
        await rm(this.path, { recursive: true, force: true })
        throw sourceTooLarge(url, this.#limits.bytes)
      }
      if (result.timedOut) throw timedOut(url, this.#limits.fetchMs)
      if (result.code !== 0 && DAMAGE.test(result.stderr)) throw new DamagedMirror()
      return result
    } finally {
      clearInterval(watch)
    }
  }

  async #prepare(): Promise<void> {
    if (await exists(join(this.path, 'HEAD'))) return this.#clearLeftovers()
    await mkdir(join(this.path, '..'), { recursive: true, mode: 0o700 })
    await rm(this.path, { recursive: true, force: true })
    const fresh = await mkdtemp(join(this.path, '..', '.new-'))
    const made = await runCommand({
      argv: ['git', 'init', '--quiet', '--bare', '--template=', '--end-of-options', fresh],
      env: gitEnvironment(),
      timeoutMs: LOCAL_TIMEOUT_MS,
    })
    if (made.code !== 0) throw new WeirError('E_STATE', { message: 'cannot make a mirror for the repository', cause: made.stderr.trim() })
    await mkdir(join(fresh, 'info'), { recursive: true })
    await writeFile(join(fresh, 'info/attributes'), ATTRIBUTES)
    await rename(fresh, this.path)
  }

  /** Nobody else fetches into this mirror, so a lock or half a pack in it belongs to a git that was killed. */
  async #clearLeftovers(): Promise<void> {
    const names = await readdir(this.path, { recursive: true })
    const left = names.filter((name) => name.endsWith('.lock') || /(^|\/)(tmp_(pack|obj|idx|rev)_|tmp_objdir-)/.test(name))
    await Promise.all(left.map((name) => rm(join(this.path, name), { recursive: true, force: true })))
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(work, work)
    this.#turn = next.catch(() => {})
    return next
  }
}

class DamagedMirror extends Error {}
/** What git says about a repository of ours that it cannot use any more. */
const DAMAGE =
  /not a git repository: |loose object .* is corrupt|object file .* is empty|packfile .* (is corrupt|cannot be accessed|claims)|inflate: |index file .* is too small|bad object refs\/weir|unable to parse commit|missing blob|invalid sha1 pointer|shallow file has changed|did not send all necessary objects/

/** Everything below a folder, as far as it can still be read while it changes. */
export async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (it) => (it.isFile() ? it.size : 0),
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

export function sourceTooLarge(url: string, bytes: number): WeirError {
  return new WeirError('E_SOURCE_TOO_LARGE', {
    message: `${shownUrl(url)} is too large`,
    cause: `a commit with its files is over ${Math.round(bytes / 1024 ** 2)} MiB`,
    state: 'what runs goes on unchanged',
    next: 'keep large files outside of the repository',
  })
}

function timedOut(url: string, ms: number): WeirError {
  return new WeirError('E_SOURCE_TIMEOUT', {
    message: `cannot read ${shownUrl(url)}`,
    cause: `the repository took over ${Math.round(ms / 1000)} s`,
    state: 'what runs goes on unchanged',
    next: 'try again',
  })
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
