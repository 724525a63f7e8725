import type { Builder, BuildRequest } from '../build/builder.ts'
import { graphFor, MANIFEST_FILES, parseManifestFile, readManifest } from '../core/manifest/manifest.ts'
import { problemsCode, problemsError } from '../core/manifest/problems.ts'
import type { AppGraph, Service } from '../core/model/app-graph.ts'
import { WeirError } from '../errors.ts'
import type { Source, SourceTree } from '../source/source.ts'

const MAX_MANIFEST_BYTES = 1024 * 1024

export interface DraftPorts {
  readonly source: Source
  readonly builder: Builder
}

/** What a source says it is, before anything is built. */
export interface Draft {
  readonly graph: AppGraph
  readonly tree: SourceTree
  readonly notes: readonly string[]
}

export interface DraftRequest {
  readonly tenant: string
  readonly app: string
  readonly environment: string
  readonly source: Parameters<Source['fetch']>[1]
  readonly manifest: { readonly file: string; readonly text: string } | null
}

/**
 * Fetches the source and reads its manifest for one environment. Throws `E_SOURCE_…`, or `E_MANIFEST` with all problems.
 * A file over the limit is cut by one byte beyond it, so that the parser itself says that it is too large.
 */
export async function draft({ source }: DraftPorts, request: DraftRequest): Promise<Draft> {
  const { manifest, tree, notes } = await manifestOf(source, request)
  return {
    graph: graphFor(manifest, request.environment),
    tree,
    notes: [...otherName(manifest.app, request), ...notes.map((it) => `${it.file}:${it.line} ${it.path}: ${it.effect}`)],
  }
}

/** `request.app` is its name where nothing in it says another. */
export async function manifestOf(source: Source, request: Omit<DraftRequest, 'environment'>) {
  const tree = await source.fetch(request.tenant, request.source)
  const listing = (await source.list(tree, '.')) ?? []
  const read = request.manifest
    ? parseManifestFile(request.manifest.file, new TextEncoder().encode(request.manifest.text), { name: request.app, listing })
    : readManifest({ files: await manifestFiles(source, tree, listing), listing, name: request.app })
  if (!read.ok) throw new WeirError(problemsCode(read.problems), problemsError(read.problems))
  return { manifest: read.manifest, tree, notes: read.notes }
}

/** Where a person said `-a`, or the name in the repository has changed since it is followed. */
function otherName(named: string, { app, source }: DraftRequest): string[] {
  if (named === app || source.kind !== 'git') return []
  return [`the manifest names the app ${named}, and this is a release of ${app}; to release ${named}: weir deploy ${source.url}`]
}

async function manifestFiles(source: Source, tree: SourceTree, listing: readonly string[]): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  for (const name of MANIFEST_FILES) {
    if (!listing.includes(name)) continue
    const bytes = await source.readFile(tree, name, MAX_MANIFEST_BYTES + 1)
    if (bytes) files.set(name, bytes)
  }
  return files
}

/** The services that are built from the source, with what the builder needs to know. */
export function buildsOf(request: { readonly tenant: string; readonly app: string }, { graph, tree }: Draft): readonly BuildRequest[] {
  return Object.values(graph.services).flatMap((service: Service): BuildRequest[] =>
    service.artifact.kind === 'build'
      ? [{ ...request, service: service.name, tree, context: service.artifact.context, command: service.artifact.command, output: service.artifact.output }]
      : [],
  )
}
