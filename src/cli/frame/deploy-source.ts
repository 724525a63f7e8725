import { closeSync, mkdirSync, openSync, readdirSync, readSync, type Stats, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import type { Client } from '../../../packages/client/src/client.ts'
import type { ReleaseRequest } from '../../../packages/client/src/types.ts'
import type { Manifest, ReadResult } from '../../core/manifest/manifest.ts'
import { WeirError } from '../../errors.ts'
import { runCommand } from '../../spawn.ts'
import { escapeControl } from '../output/escape.ts'
import { type AppContext, appNamedAfter, checkedName, DEFAULT_ENVIRONMENT, manifestApp, readLink } from './context.ts'
import type { Session } from './session.ts'
import { usage } from './usage.ts'

/** What `deploy` and `plan` are about: where the source comes from, and for which app. */
export interface DeploySource {
  readonly context: AppContext
  /** Sends the folder if there is one to send; answers the request's body. */
  request(client: Client): Promise<ReleaseRequest>
  /** The branch that `--follow` would follow. */
  readonly follow: { readonly url: string; readonly ref: string; readonly path: string } | null
  /** Remembers which app the folder belongs to, where the folder itself does not say. */
  link(): void
}

type GitSource = Extract<ReleaseRequest['source'], { kind: 'git' }>

type Origin =
  | {
      readonly kind: 'git'
      readonly url: string
      readonly path: string
      readonly folder: string | null
      readonly app: string | undefined
      readonly otherwise: string | undefined
    }
  | { readonly kind: 'folder'; readonly folder: string; readonly manifest: { readonly file: string; readonly text: string } | null; readonly app: string }

const MAX_MANIFEST_BYTES = 1024 * 1024

/**
 * Reads `[FILE|DIR|GIT-URL]`: nothing is the current folder.
 *
 * | argument                        | --commit, --tag, --branch | source                                    |
 * |---------------------------------|---------------------------|-------------------------------------------|
 * | https://…, ssh://…, git@host:…  | any                       | git                                       |
 * | folder                          | none                      | what lies in it now, sent                 |
 * | folder of a repository, x.git   | any (x.git: or none)      | git at file://, the folder as its path    |
 * | manifest file                   | none                      | its folder, with this manifest            |
 */
export async function deploySource(session: Session): Promise<DeploySource> {
  const ref = refOf(session)
  const origin = await originOf(session, session.args[0], ref.commit !== null || ref.ref !== null)
  if (origin.kind === 'git') {
    const path = session.text('path') ?? origin.path
    const source = { kind: 'git', url: origin.url, ref: ref.ref, commit: ref.commit, path } as const
    return {
      context: await contextOf(session, origin, () => saidInside(session, source, origin.otherwise)),
      request: async () => ({ source }),
      follow: ref.branch === null ? null : { url: origin.url, ref: ref.branch, path },
      link: () => {},
    }
  }
  const { folder } = origin
  const context = await contextOf(session, origin, async () => undefined)
  return {
    context,
    request: async (client) => {
      const { packFolder } = await import('../../archive/pack-folder.ts')
      const { digest } = await client.upload((await packFolder(folder)).stream)
      return { source: { kind: 'upload', digest, label: basename(folder) }, manifest: origin.manifest }
    },
    follow: null,
    link: () => linkFolder(session, folder, context),
  }
}

function refOf(session: Session): { readonly commit: string | null; readonly ref: string | null; readonly branch: string | null } {
  const [commit, tag, branch] = [session.text('commit'), session.text('tag'), session.text('branch')]
  if ([commit, tag, branch].filter((it) => it !== undefined).length > 1) throw usage('only one of --commit, --tag and --branch names the source')
  return { commit: commit ?? null, ref: tag ?? branch ?? null, branch: branch ?? null }
}

async function originOf(session: Session, argument: string | undefined, wantsGit: boolean): Promise<Origin> {
  if (argument === '-') throw usage('a release cannot come from standard input', undefined, 'a file, a folder or the address of a repository')
  if (argument !== undefined && isRepositoryAddress(argument))
    return {
      kind: 'git',
      url: argument,
      path: '.',
      folder: null,
      app: undefined,
      otherwise: appNamedAfter((session.text('path') ?? argument).replace(/\/+$/, '').replace(/\.git$/, '')),
    }
  const place = resolve(session.terminal.cwd, argument ?? '.')
  const found = statIfThere(place)
  if (found === null) {
    throw usage(`there is no file or folder "${escapeControl(argument ?? '.')}"`, `looked at ${escapeControl(place)}`, 'weir deploy [file|dir|git-url]')
  }
  if (found.isDirectory()) return wantsGit || place.endsWith('.git') ? localRepository(place) : folderOrigin(resolve(place, session.text('path') ?? '.'))
  if (!found.isFile()) throw usage(`"${escapeControl(place)}" is no file and no folder`)
  if (wantsGit) throw usage('--commit, --tag and --branch go with a repository, not with a manifest file')
  return manifestOrigin(place, readManifestFile(place))
}

/** The file's problems are said before anything is sent; EMP's `docker_image` may name the repository or folder to build. */
async function manifestOrigin(file: string, bytes: Uint8Array): Promise<Origin> {
  const { parseManifestFile } = await import('../../core/manifest/manifest.ts')
  const folder = dirname(file)
  const manifest = await checkedManifest(parseManifestFile(basename(file), bytes, { name: basename(folder), listing: listingOf(folder) }))
  const hint = manifest.sourceHint
  if (hint?.kind === 'repository') return { kind: 'git', url: hint.url, path: '.', folder: null, app: manifest.app, otherwise: undefined }
  const given = { file: basename(file), text: new TextDecoder().decode(bytes) }
  return { kind: 'folder', folder: hint === null ? folder : resolve(folder, hint.path), manifest: given, app: manifest.app }
}

async function folderOrigin(folder: string): Promise<Origin> {
  const { MANIFEST_FILES, readManifest } = await import('../../core/manifest/manifest.ts')
  const listing = listingOf(folder)
  const files = new Map(MANIFEST_FILES.filter((name) => listing.includes(name)).map((name) => [name, readManifestFile(join(folder, name))]))
  const manifest = await checkedManifest(readManifest({ files, listing, name: basename(folder) }))
  return { kind: 'folder', folder, manifest: null, app: manifest.app }
}

async function checkedManifest(result: ReadResult): Promise<Manifest> {
  if (result.ok) return result.manifest
  const { problemsCode, problemsError } = await import('../../core/manifest/problems.ts')
  throw new WeirError(problemsCode(result.problems), problemsError(result.problems))
}

/** One byte over the limit is enough to have it refused. */
function readManifestFile(file: string): Uint8Array {
  const bytes = Buffer.alloc(MAX_MANIFEST_BYTES + 1)
  const handle = openSync(file, 'r')
  try {
    return bytes.subarray(0, readSync(handle, bytes))
  } finally {
    closeSync(handle)
  }
}

function listingOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
}

/** @example isRepositoryAddress('git@example.com:team/shop.git') // true */
export function isRepositoryAddress(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:(\/\/|:)/i.test(text) || /^[^@/\s]+@[^:/\s]+:\S+$/.test(text)
}

async function localRepository(folder: string): Promise<Origin> {
  const top = await gitSays(folder, '--show-toplevel')
  if (top !== null)
    return { kind: 'git', url: fileUrl(top), path: relative(top, folder) || '.', folder, app: await manifestApp(folder), otherwise: appNamedAfter(folder) }
  const bare = await gitSays(folder, '--absolute-git-dir')
  if (bare !== null) return { kind: 'git', url: fileUrl(bare), path: '.', folder, app: undefined, otherwise: appNamedAfter(folder.replace(/\/?\.git$/, '')) }
  throw usage(`${escapeControl(folder)} is not in a git repository`, undefined, 'without --commit, --tag and --branch the folder is released as it is')
}

async function gitSays(folder: string, question: string): Promise<string | null> {
  try {
    const { code, stdout } = await runCommand({
      argv: ['git', 'rev-parse', question],
      cwd: folder,
      env: { LC_ALL: 'C', GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*' },
      timeoutMs: 10_000,
    })
    return code === 0 ? stdout.trimEnd() : null
  } catch (error) {
    throw new WeirError('E_STATE', { message: 'git cannot be started', cause: (error as Error).message, next: 'install git' }, { cause: error })
  }
}

function fileUrl(path: string): string {
  return `file://${path.split('/').map(encodeURIComponent).join('/')}`
}

/** The server reads what the manifest in the repository says; it has the credentials, and keeps what it fetched for the release. */
async function saidInside(session: Session, source: GitSource, otherwise = 'app'): Promise<string> {
  session.note(`reading ${escapeControl(source.url)}`)
  const { app } = await (await session.client()).call('sources.app', { body: { source, otherwise } })
  return app
}

async function contextOf(session: Session, origin: Origin, inside: () => Promise<string | undefined>): Promise<AppContext> {
  const { env } = session.terminal
  const folder = origin.folder
  const link = folder === null ? null : readLink(folder)
  const environment = session.text('env') ?? (env['WEIR_ENV'] || undefined) ?? link?.environment ?? DEFAULT_ENVIRONMENT
  const app = session.text('app') ?? (env['WEIR_APP'] || undefined) ?? link?.app ?? origin.app ?? (await inside())
  if (app === undefined)
    throw usage('what shall the app be called?', 'neither a manifest nor the folder has a name that an app can have', 'the same with -a NAME')
  return { app: checkedName('app', app), environment: checkedName('environment', environment) }
}

/** Only when a flag said something that the folder would not have said by itself: then the next command needs no flag. */
function linkFolder(session: Session, folder: string, context: AppContext): void {
  if (session.text('app') === undefined && session.text('env') === undefined) return
  const link = readLink(folder)
  if (link?.app === context.app && link.environment === context.environment) return
  mkdirSync(join(folder, '.weir'), { recursive: true })
  writeFileSync(join(folder, '.weir', '.gitignore'), '*\n')
  writeFileSync(join(folder, '.weir', 'link.json'), `${JSON.stringify(context)}\n`)
  session.note(`this folder now belongs to ${context.app} in ${context.environment} (.weir/link.json)`)
}

function statIfThere(path: string): Stats | null {
  try {
    return statSync(path)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}

/** Whether `weir up` should deploy the folder: it has a manifest, or something in it is recognised. */
export async function isDeployable(folder: string): Promise<boolean> {
  const { MANIFEST_FILES, readManifest } = await import('../../core/manifest/manifest.ts')
  const listing = listingOf(folder)
  const present = MANIFEST_FILES.filter((name) => listing.includes(name))
  if (present.some((name) => name !== 'package.json')) return true
  return readManifest({ files: new Map(present.map((name) => [name, readManifestFile(join(folder, name))])), listing, name: basename(folder) }).ok
}
