import type { Argv } from '../core/model/app-graph.ts'
import { WeirError } from '../errors.ts'
import { type Package, readPackage } from './package-json.ts'

/** A folder as far as its recipe depends on it. */
export interface FolderFacts {
  /** Names in the folder, folders with a trailing `/`. */
  readonly names: readonly string[]
  /** Content of those of `READ` that are there. */
  readonly texts: Readonly<Record<string, string>>
}

/** Files that a recipe is read from; all else counts by its name only. */
export const READ = ['package.json', 'package-lock.json', 'npm-shrinkwrap.json', '.npmrc', 'Procfile', 'requirements.txt', 'pyproject.toml'] as const

/** How a folder becomes a slug. Everything that runs somebody else's code is a step in `install` or `build`. */
export interface Recipe {
  readonly kind: 'node' | 'python' | 'static' | 'custom'
  /** Semver range of `engines.node`, null when any will do or no Node is needed. */
  readonly node: string | null
  readonly language: 'node' | 'python' | 'any'
  readonly install: Install | null
  readonly build: Argv | null
  /** Removes what only the build needed. */
  readonly prune: Argv | null
  /** The folder that becomes the slug; null: all of it. */
  readonly output: string | null
}

export interface Install {
  readonly argv: Argv
  /** What it makes, below the build folder. */
  readonly folder: 'node_modules' | '.python'
  /**
   * Texts that determine the result, so that it can be kept and used again; null when it depends on the source itself
   * (workspaces, local packages, install scripts of the app).
   */
  readonly dependsOn: readonly string[] | null
}

/**
 * The recipe for a folder; the first that fits: the manifest's own command, package.json, Python's files, index.html.
 *
 * @example recipeFor({ names: ['index.html'], texts: {} }, { command: null, output: null }).kind // 'static'
 */
export function recipeFor(facts: FolderFacts, declared: { readonly command: Argv | null; readonly output: string | null }): Recipe {
  const has = (name: string) => facts.names.includes(name)
  const pack = has('package.json') ? readPackage(facts.texts['package.json'] ?? '') : null
  if (declared.command !== null || declared.output !== null) {
    const node = pack === null ? null : nodeRecipe(pack, facts, true)
    return {
      kind: 'custom',
      node: node?.node ?? null,
      language: node ? 'node' : 'any',
      install: node?.install ?? null,
      build: declared.command,
      prune: null,
      output: declared.output,
    }
  }
  if (pack) return nodeRecipe(pack, facts, pack.scripts['build'] !== undefined)
  if (has('requirements.txt') || has('pyproject.toml') || has('app.py') || has('main.py') || has('manage.py')) return pythonRecipe(facts)
  if (has('index.html')) return { kind: 'static', node: null, language: 'node', install: null, build: null, prune: null, output: null }
  throw unknownKind(facts)
}

const LOCAL = /^(file:|link:|workspace:|portal:|\.|\/|~\/)/
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepublish', 'preprepare', 'prepare', 'postprepare']

function nodeRecipe(pack: Package, facts: FolderFacts, builds: boolean): Recipe {
  const has = (name: string) => facts.names.includes(name)
  const other = pack.manager !== null && pack.manager !== 'npm' ? pack.manager : OTHER_LOCKS.find(([lock]) => has(lock) && !has('package-lock.json'))?.[1]
  if (other !== undefined) throw otherManager(other)
  const production = Object.entries({ ...pack.dependencies, ...pack.optionalDependencies })
  const development = Object.entries(pack.devDependencies)
  const wanted = builds ? [...production, ...development] : production
  const ownScripts = INSTALL_SCRIPTS.some((name) => pack.scripts[name] !== undefined)
  const lock = has('npm-shrinkwrap.json') ? 'npm-shrinkwrap.json' : has('package-lock.json') ? 'package-lock.json' : null
  const local = pack.workspaces || ownScripts || wanted.some(([, spec]) => LOCAL.test(spec))
  const needed = wanted.length > 0 || pack.workspaces || ownScripts
  const omit = builds ? [] : ['--omit=dev']
  const install: Install = {
    argv: [
      'npm',
      lock === null ? 'install' : 'ci',
      ...omit,
      '--no-audit',
      '--no-fund',
      '--no-update-notifier',
      ...(lock === null ? ['--no-package-lock'] : []),
    ],
    folder: 'node_modules',
    dependsOn: local ? null : [dependencyText(pack), lock === null ? '' : lockedText(facts.texts[lock] ?? ''), facts.texts['.npmrc'] ?? '', omit.join()],
  }
  const script = pack.scripts['build'] !== undefined && builds
  return {
    kind: 'node',
    node: pack.node,
    language: 'node',
    install: needed ? install : null,
    build: script ? ['npm', 'run', 'build'] : null,
    prune: script && development.length > 0 ? ['npm', 'prune', '--omit=dev', '--no-audit', '--no-fund', '--ignore-scripts'] : null,
    output: null,
  }
}

const OTHER_LOCKS = [
  ['yarn.lock', 'yarn'],
  ['pnpm-lock.yaml', 'pnpm'],
  ['bun.lockb', 'bun'],
  ['bun.lock', 'bun'],
] as const

/** The lock file without the app's own name and version, so that services with the same dependencies share what was installed. */
function lockedText(lock: string): string {
  try {
    const { name: _name, version: _version, packages, ...rest } = JSON.parse(lock) as Record<string, unknown>
    const { '': _app, ...installed } = (packages ?? {}) as Record<string, unknown>
    return JSON.stringify([rest, installed])
  } catch {
    return lock // npm says what is wrong with it
  }
}

function dependencyText(pack: Package): string {
  return JSON.stringify([pack.dependencies, pack.devDependencies, pack.optionalDependencies].map((it) => Object.entries(it).sort()))
}

function pythonRecipe(facts: FolderFacts): Recipe {
  const requirements = facts.texts['requirements.txt']
  const pip = [
    'python3',
    '-m',
    'pip',
    'install',
    '--target=.python',
    '--no-compile',
    '--no-input',
    '--disable-pip-version-check',
    '--no-warn-script-location',
    '--root-user-action=ignore',
  ]
  const install = (): Install | null => {
    if (requirements !== undefined) {
      const lines = requirements
        .split('\n')
        .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
        .filter((line) => line !== '')
      if (lines.length === 0) return null
      const self = lines.some((line) => /^(-e|-r|-c|--editable|--requirement|--constraint|\.|\/|file:)/.test(line) || /@\s*file:/.test(line))
      return { argv: [...pip, '-r', 'requirements.txt'], folder: '.python', dependsOn: self ? null : [lines.join('\n')] }
    }
    const project = facts.texts['pyproject.toml']
    if (project === undefined || !/^\s*\[project\]/m.test(project)) return null
    return { argv: [...pip, '.'], folder: '.python', dependsOn: null }
  }
  return { kind: 'python', node: null, language: 'python', install: install(), build: null, prune: null, output: null }
}

function otherManager(name: string): WeirError {
  return new WeirError('E_BUILD_UNKNOWN_KIND', {
    message: `the folder is built with ${name}, which Weir does not run by itself`,
    cause: 'only npm is built in',
    next: `npm install (makes a package-lock.json), or set build: {command: [npx, ${name}, …], output: …}`,
  })
}

function unknownKind({ names }: FolderFacts): WeirError {
  const shown = names.slice(0, 8).join(', ')
  return new WeirError('E_BUILD_UNKNOWN_KIND', {
    message: 'Weir does not recognise how to build the folder',
    cause: names.includes('Dockerfile')
      ? 'it has a Dockerfile, and no containers run on this machine'
      : `it has ${shown === '' ? 'no file' : shown}; looked for package.json, requirements.txt, pyproject.toml, app.py, main.py and index.html`,
    next: 'set build: {context, command, output} in weir.yaml',
  })
}
