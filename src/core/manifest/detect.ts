import type { Problem } from './problems.ts'
import type { Tree } from './tree.ts'
import { find, treeOf } from './tree.ts'
import { parseYaml } from './yaml-tree.ts'

const NODE_ENTRIES = ['server.js', 'index.js']
const PYTHON_PROJECTS = ['requirements.txt', 'pyproject.toml']
const PYTHON_ENTRIES = ['manage.py', 'app.py', 'main.py', 'server.py']

/**
 * The app of a source that says nothing about itself: one service `web`, built and started as the build finds fit.
 *
 * | in the top folder                                                         | is             |
 * |---------------------------------------------------------------------------|----------------|
 * | package.json with a `start` or `build` script or `main`; or server.js, index.js | Node or static |
 * | app.py, main.py, manage.py, server.py                                     | Python         |
 * | index.html                                                                | static         |
 * | anything else                                                             | a problem      |
 */
export function detect(
  listing: readonly string[],
  files: ReadonlyMap<string, Uint8Array>,
): { readonly tree: Tree | null; readonly problems: readonly Problem[] } {
  const has = (names: readonly string[]) => names.some((name) => listing.includes(name))
  const node = listing.includes('package.json') ? nodeProblem(listing, files.get('package.json')) : null
  if (listing.includes('package.json') && node === null) return web('package.json')
  if (has(PYTHON_ENTRIES)) return web(PYTHON_ENTRIES.find((name) => listing.includes(name))!)
  if (listing.includes('index.html')) return web('index.html')
  if (node) return refused(node.file, node.message, node.hint, node)
  if (has(PYTHON_PROJECTS))
    return refused(
      PYTHON_PROJECTS.find((name) => listing.includes(name))!,
      'a Python project without a file that starts it',
      `name it ${PYTHON_ENTRIES.slice(1).join(', ')}, or add a Procfile with web: COMMAND`,
    )
  if (listing.includes('Dockerfile'))
    return {
      tree: null,
      problems: [
        {
          file: 'Dockerfile',
          line: 1,
          column: 1,
          code: 'E_UNSUPPORTED',
          path: '',
          message: 'not yet supported: Dockerfile, because no containers run on this machine',
          hint: 'add a Procfile with web: COMMAND, or weir.yaml with `build: { context: ., command: […] }`',
        },
      ],
    }
  return refused(
    'weir.yaml',
    'nothing here says how to build and start the app',
    'looked for weir.yaml, compose.yaml, Procfile, package.json, app.py, main.py, manage.py and index.html',
  )
}

function web(evidence: string): { readonly tree: Tree; readonly problems: readonly Problem[] } {
  return { tree: treeOf({ file: evidence, line: 1, column: 1 }, { version: 1, services: { web: { build: '.', ports: { http: 8080 } } } }), problems: [] }
}

function refused(
  file: string,
  message: string,
  hint: string | null,
  place = { line: 1, column: 1 },
): { readonly tree: null; readonly problems: readonly Problem[] } {
  return { tree: null, problems: [{ file, line: place.line, column: place.column, code: 'E_MANIFEST', path: '', message, hint }] }
}

function nodeProblem(listing: readonly string[], bytes: Uint8Array | undefined): Problem | null {
  const { tree, problems } = parseYaml('package.json', bytes ?? new Uint8Array())
  if (problems[0]) return problems[0]
  const starts = tree && [['scripts', 'start'], ['scripts', 'build'], ['main']].some((path) => find(tree, path) !== null)
  if (starts || NODE_ENTRIES.some((name) => listing.includes(name)) || listing.includes('index.html')) return null
  return {
    file: 'package.json',
    line: 1,
    column: 1,
    code: 'E_MANIFEST',
    path: 'scripts',
    message: 'package.json has no `start` script',
    hint: 'add "scripts": { "start": "node server.js" }',
  }
}
