import { constants, realpathSync } from 'node:fs'
import { chmod, copyFile, cp, link, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { WeirError } from '../errors.ts'
import { runCommand } from '../spawn.ts'
import { satisfies } from './semver-range.ts'

const FETCH_MS = 5 * 60_000
/** Folders that every account of a Debian machine can read; what lies elsewhere may be a person's own. */
const MACHINE_PATH = '/usr/local/bin:/usr/bin:/bin'

/**
 * The language runtimes that apps and builds are started with, readable by all accounts:
 *
 *   <root>/node-24.21.0/bin/{node,npm,npx}    Weir's own Node, or one from the package registry that `engines` asks for
 *   <root>/python-3.11.2/bin/{python3,…}      the machine's Python, finding what the slug brings in `.python`
 */
export class Runtimes {
  readonly #root: string
  /** npm's settings for this machine (registry, proxy, certificates); never credentials. */
  readonly #environment: Readonly<Record<string, string>>

  constructor(root: string, environment: Readonly<Record<string, string>>) {
    this.#root = root
    this.#environment = environment
  }

  /** What builds depend on without having asked for it. */
  fingerprint(): string {
    return `node-${process.versions.node}`
  }

  /** A Node that satisfies `range`: Weir's own where it does, else one that is there, else one from the registry. Returns the folder's name. */
  async node(range: string | null): Promise<string> {
    const own = process.versions.node
    const fits = range === null ? true : satisfies(own, range)
    if (fits === null)
      throw new WeirError('E_BUILD_FAILED', { message: `engines.node "${range}" is not a range of versions`, next: 'write it like ">=22" in package.json' })
    if (fits) return this.#place(`node-${own}`, (folder) => this.#fillNode(folder, process.execPath))
    const there = (await readdir(this.#root).catch(() => [])).filter((name) => name.startsWith('node-') && satisfies(name.slice(5), range ?? '*') === true)
    const best = there.sort((a, b) => (satisfies(a.slice(5), `>${b.slice(5)}`) ? -1 : 1))[0]
    return best ?? this.#fetchNode(range ?? '*')
  }

  /** The machine's own Python with pip, or why not. */
  async python(): Promise<string> {
    const program = MACHINE_PATH.split(':').map((folder) => join(folder, 'python3'))
    for (const python of program) {
      if (!(await lstat(python).catch(() => null))) continue
      const { code, stdout } = await runCommand({ argv: [python, '-c', 'import sys; print("%d.%d.%d" % sys.version_info[:3])'], env: {}, timeoutMs: 10_000 })
      if (code === 0) return this.#place(`python-${stdout.trim()}`, (folder) => fillPython(folder, python))
    }
    throw new WeirError('E_BUILD_FAILED', {
      message: 'this machine has no Python',
      cause: `no python3 in ${MACHINE_PATH}`,
      next: 'apt-get install python3 python3-pip, then weir deploy',
    })
  }

  binOf(name: string): string {
    return join(this.#root, name, 'bin')
  }

  /** Makes `<root>/<name>` as a whole or not at all. */
  async #place(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
    const target = join(this.#root, name)
    if (await lstat(join(target, 'bin')).catch(() => null)) return name
    await mkdir(this.#root, { recursive: true, mode: 0o755 })
    const fresh = await mkdtemp(join(this.#root, '.new-'))
    try {
      await chmod(fresh, 0o755)
      await fill(fresh)
      await rename(fresh, target).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error // another made it meanwhile
      })
      return name
    } finally {
      await rm(fresh, { recursive: true, force: true })
    }
  }

  async #fillNode(folder: string, node: string): Promise<void> {
    await mkdir(join(folder, 'bin'), { mode: 0o755 })
    await mkdir(join(folder, 'lib/node_modules'), { recursive: true, mode: 0o755 })
    await shareProgram(node, join(folder, 'bin/node'))
    const npm = await npmFolder()
    if (npm === null) return // noticed when a build needs it
    const there = join(folder, 'lib/node_modules/npm')
    if (npm.startsWith('/usr/')) await symlink(npm, there)
    else await cp(npm, there, { recursive: true, dereference: true })
    for (const name of ['npm', 'npx']) await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(folder, 'bin', name))
  }

  async #fetchNode(range: string): Promise<string> {
    const own = await this.node(null)
    const npm = join(this.binOf(own), 'npm')
    if (!(await lstat(npm).catch(() => null))) throw npmMissing()
    await mkdir(this.#root, { recursive: true, mode: 0o755 })
    const fresh = await mkdtemp(join(this.#root, '.fetch-'))
    try {
      const name = `node-linux-${process.arch}`
      const argv = [
        join(this.binOf(own), 'node'),
        npm,
        'install',
        '--prefix',
        fresh,
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        '--no-save',
        `${name}@${range}`,
      ] as const
      await writeFile(join(fresh, 'package.json'), '{"private":true}')
      const result = await runCommand({
        argv: [...argv],
        cwd: fresh,
        env: { ...this.#environment, HOME: fresh, npm_config_cache: join(fresh, '.cache') },
        timeoutMs: FETCH_MS,
      })
      const installed = join(fresh, 'node_modules', name)
      if (result.code !== 0) {
        const line = result.stderr.split('\n').find((it) => /ETARGET|notarget|E404|ENOTFOUND|code/.test(it)) ?? ''
        throw new WeirError('E_BUILD_FAILED', {
          message: `no Node for engines.node "${range}" could be installed`,
          cause: line.trim().slice(0, 200),
          next: 'widen the range in package.json, then weir deploy',
        })
      }
      const { version } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as { version: string }
      return await this.#place(`node-${version}`, (folder) => this.#fillNode(folder, join(installed, 'bin/node')))
    } finally {
      await rm(fresh, { recursive: true, force: true })
    }
  }
}

/** The same file under another name where all may run it anyway (it is a hundred megabytes), else a copy. */
async function shareProgram(from: string, to: string): Promise<void> {
  const { mode, uid } = await lstat(from)
  if ((mode & 0o7777) === 0o755 && (uid === 0 || uid === process.getuid?.())) {
    const linked = await link(from, to).then(
      () => true,
      () => false, // another file system, or one without hard links
    )
    if (linked) return
  }
  await copyFile(from, to, constants.COPYFILE_FICLONE)
  await chmod(to, 0o755)
}

export function npmMissing(): WeirError {
  return new WeirError('E_BUILD_FAILED', {
    message: 'this machine has no npm',
    cause: 'the app has dependencies, and npm is in none of the folders of PATH',
    next: 'install npm, restart Weir, then weir deploy',
  })
}

async function npmFolder(): Promise<string | null> {
  const folders = [dirname(process.execPath), ...(process.env['PATH'] ?? '').split(':'), ...MACHINE_PATH.split(':')]
  for (const folder of folders) {
    try {
      const cli = realpathSync(join(folder, 'npm'))
      const root = join(dirname(cli), '..')
      const { name } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { name?: string }
      if (name === 'npm') return root
    } catch {
      // not here
    }
  }
  return null
}

/** Tools that Python packages bring as programs; each is found in the slug, whose folder is the working directory at the start. */
const PYTHON_TOOLS = ['gunicorn', 'uvicorn', 'hypercorn', 'daphne', 'waitress-serve', 'flask', 'fastapi', 'celery', 'alembic', 'django-admin']

async function fillPython(folder: string, python: string): Promise<void> {
  await mkdir(join(folder, 'bin'), { mode: 0o755 })
  const path = 'PYTHONPATH="$PWD/.python${PYTHONPATH:+:$PYTHONPATH}"\nexport PYTHONPATH\n'
  for (const name of ['python3', 'python']) await writeFile(join(folder, 'bin', name), `#!/bin/sh\n${path}exec ${python} "$@"\n`, { mode: 0o755 })
  for (const tool of PYTHON_TOOLS)
    await writeFile(join(folder, 'bin', tool), `#!/bin/sh\n${path}exec ${python} "$PWD/.python/bin/${tool}" "$@"\n`, { mode: 0o755 })
}
