/** What a build may use. One place, so that the docs and the tests name the same numbers. */
export interface BuildLimits {
  readonly cpu: number
  readonly memoryBytes: number
  readonly pids: number
  /** All steps of one build together. */
  readonly wallMs: number
  /** Source, dependencies, caches and output together. */
  readonly diskBytes: number
  /** A tenant's package cache is emptied when it is over this. */
  readonly cacheBytes: number
  /** Stays free on the disk, for what runs: logs, databases, the store. */
  readonly reserveBytes: number
}

export const BUILD_LIMITS: BuildLimits = {
  cpu: 2,
  memoryBytes: 2 * 1024 ** 3,
  pids: 512,
  wallMs: 10 * 60_000,
  diskBytes: 4 * 1024 ** 3,
  cacheBytes: 1024 ** 3,
  reserveBytes: 1024 ** 3,
}
