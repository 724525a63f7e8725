import type { AppGraph } from './app-graph.ts'

/** A built service, by digest. `key` is what it was built from: equal keys need no second build. */
export interface Artifact {
  readonly kind: 'slug'
  /** `sha256:<hex>` of the slug's tar. */
  readonly digest: string
  readonly key: string
  readonly bytes: number
  /** What the build detected as the way to start it; a manifest's `command` comes first. */
  readonly command: readonly string[] | null
  /** The runtime to put first on PATH: a folder under the state folder's `runtimes/`, or null for the machine's own. */
  readonly runtime: string | null
}

/** Where a release came from. */
export type SourceRef =
  | { readonly kind: 'git'; readonly url: string; readonly ref: string | null; readonly commit: string | null; readonly path: string }
  | { readonly kind: 'upload'; readonly digest: string; readonly label: string }
  /** The source of an earlier release again: `env apply`, a changed secret. With `environment`: of another one of the app, whose artifacts are taken by digest. */
  | { readonly kind: 'release'; readonly number: number; readonly environment?: string }

/** Immutable once `ready`: app graph + artifact digests + configuration. Numbers grow by one per environment. */
export interface Release {
  readonly number: number
  readonly graph: AppGraph
  readonly artifacts: Readonly<Record<string, Artifact>>
  /** Environment variables set outside the manifest (`env set`), per service; `*` for all. Versions of the secrets it was made with. */
  readonly configuration: Configuration
  readonly source: SourceRef
  /** Hash of all that a replica of the service is started from; equal fingerprints need no new replica. */
  readonly fingerprints: Readonly<Record<string, string>>
}

export interface Configuration {
  readonly environment: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** secret name → version; a new version is a changed service, the value stays in the vault. */
  readonly secrets: Readonly<Record<string, number>>
}
