import type { AppGraph } from '../model/app-graph.ts'
import { graphOf } from './graph.ts'
import type { Note, Problem } from './problems.ts'
import { sortProblems } from './problems.ts'
import { find, merge } from './tree.ts'
import type { Tree, TreeEntry } from './tree.ts'
import { parseYaml } from './yaml-tree.ts'
import { toName } from './leaves.ts'

/** A file set that was read and checked; `graphFor` gives each environment's view of it. */
export interface Manifest {
  readonly app: string
  readonly format: AppGraph['format']
  /** Environments that the file names; any other has the app as it is without overlay. */
  readonly environments: readonly string[]
  /** A repository or folder that the file itself names as its source (EMP's `docker_image`); null: where the file lies. */
  readonly sourceHint: SourceHint | null
  readonly document: Tree
  readonly preferredEntry: string | null
}
export type SourceHint = { readonly kind: 'repository'; readonly url: string } | { readonly kind: 'folder'; readonly path: string }

export type ReadResult = { readonly ok: true; readonly manifest: Manifest; readonly notes: readonly Note[] } | { readonly ok: false; readonly problems: readonly Problem[] }

/** Files of a source's top folder that a caller of `readManifest` should hand over, each up to `MAX_BYTES`. */
export const MANIFEST_FILES = ['weir.yaml', 'weir.yml', 'weir.json'] as const

/**
 * Reads the manifest of a source from the files of its top folder.
 *
 * @example readManifest({ files: new Map([['weir.yaml', bytes]]), listing: ['weir.yaml', 'package.json'], name: 'shop' })
 */
export function readManifest(input: { readonly files: ReadonlyMap<string, Uint8Array>; readonly listing: readonly string[]; readonly name: string }): ReadResult {
  const file = ['weir.yaml', 'weir.yml', 'weir.json'].find((name) => input.files.has(name))
  if (!file) return { ok: false, problems: [{ file: 'weir.yaml', line: 1, column: 1, code: 'E_MANIFEST', path: '', message: 'no manifest found', hint: null }] }
  const { tree, problems } = parseYaml(file, input.files.get(file)!)
  if (!tree || problems.length > 0) return { ok: false, problems }
  return checked({ app: appName(tree, input.name), format: 'weir', environments: environmentsOf(tree), sourceHint: null, document: tree, preferredEntry: null }, [])
}

/** The app as one environment has it: overlays of `from` first, then its own. */
export function graphFor(manifest: Manifest, environment: string): AppGraph | readonly Problem[] {
  const { graph, problems } = resultFor(manifest, environment)
  return graph ?? sortProblems(problems)
}

/** Every environment is built once, so that a mistake in an overlay is found before it is deployed. */
function checked(manifest: Manifest, notes: readonly Note[]): ReadResult {
  const results = [null, ...manifest.environments].map((environment) => resultFor(manifest, environment))
  const problems = sortProblems(results.flatMap((result) => result.problems))
  return problems.length > 0 ? { ok: false, problems } : { ok: true, manifest, notes: [...notes, ...(results[0]?.notes ?? [])] }
}

function resultFor(manifest: Manifest, environment: string | null) {
  let tree = manifest.document
  for (const overlay of environment === null ? [] : overlaysOf(manifest.document, environment)) tree = merge(tree, overlay)
  return graphOf(tree, manifest.app, manifest.format, manifest.preferredEntry)
}

function overlaysOf(document: Tree, environment: string): Tree[] {
  const overlays: Tree[] = []
  const seen = new Set<string>()
  for (let name: string | null = environment; name !== null && !seen.has(name); ) {
    seen.add(name)
    const overlay = find(document, ['environments', name])
    if (overlay?.kind !== 'map') break
    const own = new Map<string, TreeEntry>([...overlay.entries].filter(([key]) => key === 'services' || key === 'resources' || key === 'jobs'))
    overlays.unshift({ ...overlay, entries: own })
    const from = overlay.entries.get('from')?.tree
    name = from?.kind === 'scalar' && typeof from.value === 'string' ? from.value : null
  }
  return overlays
}

function environmentsOf(document: Tree): string[] {
  const environments = find(document, ['environments'])
  return environments?.kind === 'map' ? [...environments.entries.keys()] : []
}

function appName(document: Tree, fallback: string): string {
  const app = find(document, ['app'])
  return app?.kind === 'scalar' && typeof app.value === 'string' ? app.value : (toName(fallback) ?? 'app')
}
