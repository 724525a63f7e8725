import type { Artifact, Configuration, Release } from '../core/model/release.ts'
import { type Plan, planFor } from '../core/plan/plan.ts'
import { buildsOf, type DraftPorts, type DraftRequest, draft } from './draft.ts'
import { fingerprintsOf } from './release.ts'

export interface PreviewRequest extends DraftRequest {
  /** The release that serves, or null. */
  readonly base: Release | null
  /** What the next release would take. */
  readonly configuration: Configuration
  /** Not compared with what serves. */
  readonly forward?: boolean
}

/**
 * What a deploy of this source would do. Nothing is built: an artifact is known by its build key, and a key that the base has means its
 * artifact. A changed key counts as changed code, though the build may turn out to give the same bytes.
 */
export async function preview(ports: DraftPorts, request: PreviewRequest): Promise<Plan & { readonly notes: readonly string[] }> {
  const drafted = await draft(ports, request)
  const artifacts: Record<string, Artifact> = {}
  const notes = [...drafted.notes]
  for (const build of buildsOf(request, drafted)) {
    const key = await ports.builder.key(build)
    const before = Object.values(request.base?.artifacts ?? {}).find((it) => it.key === key)
    const observed = before ? null : await ports.builder.observe(key)
    if (!before && observed?.phase !== 'succeeded') notes.push(`${build.service} would be built`)
    artifacts[build.service] =
      before ?? (observed?.phase === 'succeeded' ? observed.artifact : { kind: 'slug', digest: `key:${key}`, key, bytes: 0, command: null, runtime: null })
  }
  const target: Release = {
    number: (request.base?.number ?? 0) + 1,
    graph: drafted.graph,
    artifacts,
    configuration: request.configuration,
    source: request.source,
    fingerprints: fingerprintsOf(drafted.graph, artifacts, request),
  }
  return { ...planFor(request.base, target, request), notes }
}
