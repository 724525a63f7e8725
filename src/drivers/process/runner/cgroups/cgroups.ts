/** Groups of processes that the kernel counts and limits together. One name, one group in every controller. */
export interface Cgroups {
  /** Makes the group, or sets the limits of the one that is there. null: no limits, only a group. */
  create(name: string, limits: CgroupLimits | null): void
  /** Moves the caller in: what it starts until the returned call is inside from its first instruction on. Never await in between. */
  enter(name: string): () => void
  pids(name: string): number[]
  /** Ends every process of the group, also those that are made meanwhile. */
  kill(name: string): Promise<void>
  /** Since the group was made; null: it is not there. */
  usage(name: string): CgroupUsage | null
  /** How often the kernel has killed in this group for want of memory. */
  oomKills(name: string): number
  /** Unknown and non-empty groups are left as they are. */
  remove(name: string): void
  names(): string[]
  /** The parent of all groups of this installation; only when all are removed. */
  removeAll(): void
}

export interface CgroupUsage {
  /** Time on processors, of all its processes that ever were. */
  readonly cpuMs: number
  /** Now, without pages of files that can be dropped at any time. */
  readonly memoryBytes: number
}

export interface CgroupLimits {
  readonly cpu: number
  readonly memoryBytes: number
  readonly pids: number
}

/** The kernel divides time into periods of this length, and lets a group run for its share of each. */
export const CPU_PERIOD_US = 100_000
/** Less than this and the kernel refuses (EINVAL). */
export const MIN_CPU_QUOTA_US = 1_000

export function cpuQuotaUs(cpu: number): number {
  return Math.max(MIN_CPU_QUOTA_US, Math.round(cpu * CPU_PERIOD_US))
}
