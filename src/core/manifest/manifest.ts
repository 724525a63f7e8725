import type { AppGraph } from '../model/app-graph.ts'
import { COMPOSE_FILES, translateCompose } from './compose.ts'
import { detect } from './detect.ts'
import type { SourceHint } from './emp.ts'
import { isEmp, translateEmp } from './emp.ts'
import type { GraphResult } from './graph.ts'
import { graphOf } from './graph.ts'
import { toName } from './leaves.ts'
import type { Note, Place, Problem } from './problems.ts'
import { sortNotes, sortProblems } from './problems.ts'
import { parseProcfile } from './procfile.ts'
import type { Tree, TreeEntry } from './tree.ts'
import { find, merge } from './tree.ts'
import { validate } from './validate.ts'
import { parseYaml } from './yaml-tree.ts'

/** What a source says about its app, read and checked; `graphFor` gives each environment's view of it. */
export interface Manifest {
  readonly app: string
  /** The app as an environment without an overlay has it. */
  readonly graph: AppGraph
  /** By environment with an overlay: the app as that one has it. */
  readonly environments: ReadonlyMap<string, AppGraph>
  /** A repository or folder that the file itself names as its source (EMP's `docker_image`); null: the source it lies in. */
  readonly sourceHint: SourceHint | null
}

export type ReadResult =
  | { readonly ok: true; readonly manifest: Manifest; readonly notes: readonly Note[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

const WEIR_FILES = ['weir.yaml', 'weir.yml', 'weir.json'] as const

/** Files of a source's top folder whose content `readManifest` looks at; of a file over 1 MiB one byte more is enough to have it refused. */
export const MANIFEST_FILES: readonly string[] = [...WEIR_FILES, ...COMPOSE_FILES, 'Procfile', 'package.json']

/**
 * Reads what a source says about its app. compose.yaml is the base and weir.yaml an overlay by service name;
 * with neither, the Procfile; with none of these, what the files look like.
 *
 * @param input.files content of those of `MANIFEST_FILES` that exist
 * @param input.listing names in the top folder, folders with a trailing `/`
 * @param input.name name of the app if no file says it, such as the folder's
 * @example readManifest({ files: new Map([['weir.yaml', bytes]]), listing: ['weir.yaml', 'package.json'], name: 'shop' })
 */
export function readManifest(input: {
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly listing: readonly string[]
  readonly name: string
}): ReadResult {
  const weir = WEIR_FILES.filter((name) => input.files.has(name))
  const compose = COMPOSE_FILES.filter((name) => input.files.has(name))
  const notes = [...weir.slice(1), ...compose.slice(1)].map(
    (file): Note => ({ file, line: 1, column: 1, path: '', effect: `not read: ${(weir as readonly string[]).includes(file) ? weir[0] : compose[0]} is` }),
  )
  const bytes = (file: string) => input.files.get(file)!
  if (compose[0])
    return finish(combine(composeDraft(compose[0], bytes(compose[0])), weir[0] ? weirDraft(weir[0], bytes(weir[0]), input.listing) : null), input.name, notes)
  if (weir[0]) return finish(weirDraft(weir[0], bytes(weir[0]), input.listing), input.name, notes)
  if (input.files.has('Procfile')) return finish(draft('procfile', parseProcfile('Procfile', bytes('Procfile'))), input.name, notes)
  return finish(draft('detected', detect(input.listing, input.files)), input.name, notes)
}

/**
 * Reads one file that a person named (`weir deploy FILE`): weir.yaml by any name, a compose file, a Procfile, or EMP's JSON.
 *
 * @param input.listing names in the file's folder, so that EMP's `docker_image` may name one of them
 */
export function parseManifestFile(file: string, bytes: Uint8Array, input: { readonly name: string; readonly listing: readonly string[] }): ReadResult {
  const base = file.split('/').at(-1) ?? file
  if (/^procfile/i.test(base)) return finish(draft('procfile', parseProcfile(file, bytes)), input.name, [])
  if (/compose[^/]*\.ya?ml$/i.test(base)) return finish(composeDraft(file, bytes), input.name, [])
  return finish(weirDraft(file, bytes, input.listing), input.name, [])
}

/** The app as one environment has it: the overlays that `from` leads to, then its own. */
export function graphFor(manifest: Manifest, environment: string): AppGraph {
  return manifest.environments.get(environment) ?? manifest.graph
}

/** A file in the words of weir.yaml, before anything but its text is checked. */
interface Draft {
  readonly format: AppGraph['format']
  /** null: it cannot be read any further. */
  readonly tree: Tree | null
  readonly problems: readonly Problem[]
  readonly notes: readonly Note[]
  readonly sourceHint: SourceHint | null
  readonly preferredEntry: string | null
}

function draft(format: AppGraph['format'], read: { readonly tree: Tree | null; readonly problems: readonly Problem[] }): Draft {
  return { format, tree: read.tree, problems: read.problems, notes: [], sourceHint: null, preferredEntry: null }
}

function weirDraft(file: string, bytes: Uint8Array, listing: readonly string[]): Draft {
  const parsed = parseYaml(file, bytes)
  if (!parsed.tree || !isEmp(parsed.tree)) return draft('weir', parsed)
  const emp = translateEmp(parsed.tree, listing)
  return { ...draft('emp', emp), problems: [...parsed.problems, ...emp.problems], sourceHint: emp.sourceHint }
}

function composeDraft(file: string, bytes: Uint8Array): Draft {
  const parsed = parseYaml(file, bytes)
  if (!parsed.tree) return draft('compose', parsed)
  const { tree, problems, notes, preferredEntry } = translateCompose(parsed.tree)
  return { format: 'compose', tree, problems: [...parsed.problems, ...problems], notes, sourceHint: null, preferredEntry }
}

/** The overlay is checked alone too: merged, the base would hide that it lacks its `version`. */
function combine(base: Draft, overlay: Draft | null): Draft {
  if (!overlay) return base
  const tree = base.tree && overlay.tree ? merge(base.tree, overlay.tree) : null
  return { ...base, tree, problems: [...base.problems, ...overlay.problems, ...(overlay.tree ? validate(overlay.tree).problems : [])] }
}

/** Every environment is built here and only here: a mistake in an overlay is found before anything is deployed to it. */
function finish(draft: Draft, name: string, notes: readonly Note[]): ReadResult {
  if (!draft.tree) return { ok: false, problems: sortProblems(draft.problems) }
  const document = draft.tree
  const app = appName(document, name)
  const resultOf = (tree: Tree): GraphResult => graphOf(tree, app, draft.format, draft.preferredEntry)
  const base = resultOf(document)
  const byEnvironment = environmentsOf(document).map((environment) => ({ environment, ...resultOf(overlaysOf(document, environment).reduce(merge, document)) }))
  const results = [base, ...byEnvironment]
  const refused = new Set(draft.problems.map(placeKey))
  const found = results.flatMap((result) => result.problems).filter((problem) => !refused.has(placeKey(problem)))
  const problems = sortProblems([...draft.problems, ...found])
  if (problems.length > 0 || !base.graph) return { ok: false, problems }
  const environments = new Map(byEnvironment.flatMap(({ environment, graph }) => (graph ? [[environment, graph] as const] : [])))
  return {
    ok: true,
    manifest: { app, graph: base.graph, environments, sourceHint: draft.sourceHint },
    notes: sortNotes([...notes, ...draft.notes, ...results.flatMap((result) => result.notes)]),
  }
}

function overlaysOf(document: Tree, environment: string): Tree[] {
  const overlays: Tree[] = []
  const seen = new Set<string>()
  for (let name: string | null = environment; name !== null && !seen.has(name); ) {
    seen.add(name)
    const overlay = find(document, ['environments', name])
    if (overlay?.kind !== 'map') break
    const parts = new Map<string, TreeEntry>(
      [...overlay.entries].filter(([key]) => key === 'services' || key === 'resources' || key === 'jobs' || key === 'telemetry'),
    )
    overlays.unshift({ ...overlay, entries: parts })
    name = textAt(overlay, 'from')
  }
  return overlays
}

function environmentsOf(document: Tree): string[] {
  const environments = find(document, ['environments'])
  return environments?.kind === 'map' ? [...environments.entries.keys()] : []
}

function appName(document: Tree, fallback: string): string {
  return textAt(document, 'app') ?? toName(fallback) ?? 'app'
}

function textAt(tree: Tree, key: string): string | null {
  const value = find(tree, [key])
  return value?.kind === 'scalar' && typeof value.value === 'string' ? value.value : null
}

function placeKey(place: Place): string {
  return `${place.file}:${place.line}:${place.column}`
}
