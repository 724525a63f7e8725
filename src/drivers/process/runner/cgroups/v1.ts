import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CgroupLimits, type Cgroups, type CgroupUsage, CPU_PERIOD_US, cpuQuotaUs } from './cgroups.ts'
import { counter, get, killAll, makeGroup, pidsIn, put, putIfPresent, removeGroup, subgroups } from './files.ts'

const CONTROLLERS = ['memory', 'pids', 'cpu', 'freezer'] as const
type Controller = (typeof CONTROLLERS)[number]

/** Absolute folder of the group that we are in, for each controller. */
export type V1Folders = Readonly<Record<Controller, string>>

/**
 * Version 1: a tree for each controller. Writing `0` to `tasks` moves the writing *thread*, and a child begins in the groups of the
 * thread that made it; so the main thread goes in, starts the child and comes back.
 */
export class CgroupsV1 implements Cgroups {
  readonly #own: V1Folders
  readonly #base: V1Folders
  readonly #parent: string

  /** `own`: where we are and come back to; our groups are `base/parent/name`. */
  constructor({ own, base, parent }: { own: V1Folders; base: V1Folders; parent: string }) {
    this.#own = own
    this.#base = base
    this.#parent = parent
    for (const controller of CONTROLLERS) makeGroup(join(base[controller], parent))
  }

  create(name: string, limits: CgroupLimits | null): void {
    for (const controller of CONTROLLERS) makeGroup(this.#path(controller, name))
    if (!limits) return
    this.#limitMemory(name, limits.memoryBytes)
    put(this.#path('pids', name), 'pids.max', limits.pids)
    put(this.#path('cpu', name), 'cpu.cfs_period_us', CPU_PERIOD_US)
    put(this.#path('cpu', name), 'cpu.cfs_quota_us', cpuQuotaUs(limits.cpu))
  }

  /** Memory ≤ memory with swap must hold after each write, so the order depends on the direction; a second write of the first settles it. */
  #limitMemory(name: string, bytes: number): void {
    const group = this.#path('memory', name)
    const withSwap = () => putIfPresent(group, 'memory.memsw.limit_in_bytes', bytes)
    try {
      put(group, 'memory.limit_in_bytes', bytes)
      withSwap()
    } catch {
      withSwap()
      put(group, 'memory.limit_in_bytes', bytes)
    }
  }

  enter(name: string): () => void {
    const leave = () => {
      for (const controller of CONTROLLERS) put(this.#own[controller], 'tasks', 0)
    }
    try {
      for (const controller of CONTROLLERS) put(this.#path(controller, name), 'tasks', 0)
    } catch (error) {
      leave()
      throw error
    }
    return leave
  }

  pids(name: string): number[] {
    return pidsIn(this.#path('freezer', name), 'cgroup.procs')
  }

  async kill(name: string): Promise<void> {
    const group = this.#path('freezer', name)
    for (let round = 0; this.pids(name).length > 0; round++) {
      put(group, 'freezer.state', 'FROZEN') // nothing can fork away between the reading and the killing
      killAll(this.pids(name))
      put(group, 'freezer.state', 'THAWED')
      await sleep(round < 10 ? 2 : 20)
    }
  }

  /** `cpuacct` is mounted with `cpu` wherever it is mounted at all. */
  usage(name: string): CgroupUsage | null {
    const [cpuNs, memory] = [get(this.#path('cpu', name), 'cpuacct.usage'), get(this.#path('memory', name), 'memory.usage_in_bytes')]
    if (cpuNs === '' || memory === '') return null
    const droppable = counter(get(this.#path('memory', name), 'memory.stat'), 'total_inactive_file')
    return { cpuMs: Number(cpuNs) / 1e6, memoryBytes: Math.max(0, Number(memory) - droppable) }
  }

  oomKills(name: string): number {
    return counter(get(this.#path('memory', name), 'memory.oom_control'), 'oom_kill')
  }

  remove(name: string): void {
    for (const controller of CONTROLLERS) removeGroup(this.#path(controller, name))
  }

  names(): string[] {
    return subgroups(join(this.#base.freezer, this.#parent))
  }

  removeAll(): void {
    for (const controller of CONTROLLERS) removeGroup(join(this.#base[controller], this.#parent))
  }

  #path(controller: Controller, name: string): string {
    return join(this.#base[controller], this.#parent, name)
  }
}

/**
 * Where we are in each controller's tree, or null when version 1 is not (fully) there.
 *
 * @example v1Folders('8:pids:/\n4:memory:/a\n…', '… - cgroup cgroup rw,memory\n…')
 */
export function v1Folders(ownGroups: string, mountInfo: string): V1Folders | null {
  const groups = new Map<string, string>()
  for (const line of ownGroups.split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    for (const controller of controllers.split(',')) groups.set(controller, path)
  }
  const mounts = new Map<string, { point: string; root: string }>()
  for (const line of mountInfo.split('\n')) {
    const [mount = '', rest = ''] = line.split(' - ')
    if (!rest.startsWith('cgroup ')) continue
    const [, , , root = '/', point = ''] = mount.split(' ')
    for (const option of (rest.split(' ')[2] ?? '').split(',')) mounts.set(option, { point, root })
  }
  const folders: Partial<Record<Controller, string>> = {}
  for (const controller of CONTROLLERS) {
    const mount = mounts.get(controller)
    const group = groups.get(controller)
    if (!mount || group === undefined) return null
    const inside = mount.root !== '/' && group.startsWith(mount.root) ? group.slice(mount.root.length) : group
    const folder = join(mount.point, inside)
    if (!existsSync(join(folder, 'tasks'))) return null
    folders[controller] = folder
  }
  return folders as V1Folders
}
