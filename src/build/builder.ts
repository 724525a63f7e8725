import type { Argv } from '../core/model/app-graph.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Artifact } from '../core/model/release.ts'
import type { SourceTree } from '../source/source.ts'

/**
 * Turns a folder of source into a slug. One build at a time; the rest wait in order. Effects are create-or-adopt by key. Only the server
 * that leads builds: what is begun in the name of an epoch ends without an outcome once a higher one was seen.
 */
export interface Builder {
  /** We lead now: ends what servers of lower epochs left building, before anything is built. */
  fence(epoch: Epoch): void
  /** What the build would depend on: equal keys give equal slugs. Reads the tree, builds nothing. */
  key(request: BuildRequest): Promise<string>
  /** Queues the build unless its key is built, queued or running. Returns at once. */
  start(request: BuildRequest & { readonly key: string }, epoch: Epoch): Promise<void>
  observe(key: string): Promise<ObservedBuild | null>
  /** Ends a queued or running build that nobody waits for any more. */
  cancel(key: string): Promise<void>
  /** The log from byte `from`; streams while the build runs, ends with it. */
  log(key: string, from: number): AsyncIterable<Uint8Array>
  /** Called with a key when its build changed phase: a hint. */
  watch(changed: (key: string) => void): () => void
  /** Builds twice from nothing and lists what differs; empty: reproducible. */
  verify(request: BuildRequest, epoch: Epoch): Promise<readonly string[]>
}

export interface BuildRequest {
  readonly tenant: string
  readonly app: string
  readonly service: string
  readonly tree: SourceTree
  readonly context: string
  readonly command: Argv | null
  readonly output: string | null
}

export type ObservedBuild =
  | { readonly phase: 'queued'; readonly position: number }
  | { readonly phase: 'running'; readonly since: number; readonly lastLines: readonly string[] }
  | { readonly phase: 'succeeded'; readonly artifact: Artifact; readonly cached: boolean }
  /** `code`: E_BUILD_FAILED, E_BUILD_TIMEOUT, E_BUILD_OOM, E_BUILD_TOO_LARGE, E_BUILD_UNKNOWN_KIND, E_DISK_FULL or E_SOURCE_*. */
  | { readonly phase: 'failed'; readonly code: string; readonly cause: string; readonly lastLines: readonly string[] }
