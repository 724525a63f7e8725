import type { SourceRef } from '../core/model/release.ts'

/**
 * Source code at one commit. Effects are idempotent; all text that reaches errors is free of credentials.
 * Errors: `E_SOURCE_*` of errors.ts, each with the cause a person would have looked for.
 */
export interface Source {
  /** What `ref` (commit, tag, branch or null for the default branch) means now, without a full fetch where possible. */
  resolve(tenant: string, source: Extract<SourceRef, { kind: 'git' }>): Promise<ResolvedCommit>
  /** Makes the tree available and says what is in it. The same source always yields the same tree. */
  fetch(tenant: string, source: FetchableSource): Promise<SourceTree>
  /** A manifest-sized file of the tree, or null. Refuses links and anything over `maxBytes`. */
  readFile(tree: SourceTree, path: string, maxBytes: number): Promise<Uint8Array | null>
  /** Names in a folder of the tree (for detection), folders with a trailing `/`; null when there is no such folder. */
  list(tree: SourceTree, path: string): Promise<readonly string[] | null>
  /** Content digest of a folder of the tree, `sha256:…` or a git tree id: equal digests, equal content. */
  digest(tree: SourceTree, path: string): Promise<string>
  /** Writes the folder's files into the empty directory `into`: owned by the caller, links refused that leave the folder. */
  export(tree: SourceTree, path: string, into: string): Promise<void>
}

export type FetchableSource = Exclude<SourceRef, { kind: 'release' }>

export interface ResolvedCommit {
  readonly commit: string
  /** Branch or tag that was followed, else null. */
  readonly ref: string | null
}

export interface SourceTree {
  /** Where it lives on disk: a bare mirror and a commit, or an unpacked upload. */
  readonly location:
    | { readonly kind: 'git'; readonly mirror: string; readonly commit: string; readonly path: string }
    | { readonly kind: 'folder'; readonly path: string }
  readonly commit: string | null
  /** The commit's time, or 0; build outputs carry it. Milliseconds since the epoch. */
  readonly time: number
  readonly summary: { readonly subject: string; readonly author: string } | null
}
