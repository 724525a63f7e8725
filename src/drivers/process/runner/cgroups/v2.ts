import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CgroupLimits, type Cgroups, type CgroupUsage, CPU_PERIOD_US, cpuQuotaUs } from './cgroups.ts'
import { counter, get, killAll, makeGroup, pidsIn, put, putIfPresent, removeGroup, subgroups } from './files.ts'

const CONTROLLERS = ['cpu', 'memory', 'pids'] as const

/**
 * Version 2: one tree; a group either has processes or hands controllers on. So our groups lie beside, not below, the one that the
 * runner is in: `<mount>/<parent>/<name>`. The whole runner goes in, starts the child and comes back.
 */
export class CgroupsV2 implements Cgroups {
  readonly #parent: string
  readonly #own: string

  constructor({ mount, own, parent }: { mount: string; own: string; parent: string }) {
    this.#parent = join(mount, parent)
    this.#own = join(mount, own)
    handOn(mount)
    makeGroup(this.#parent)
    handOn(this.#parent)
  }

  create(name: string, limits: CgroupLimits | null): void {
    const group = this.#path(name)
    makeGroup(group)
    if (!limits) return
    put(group, 'memory.max', limits.memoryBytes)
    putIfPresent(group, 'memory.swap.max', 0)
    put(group, 'pids.max', limits.pids)
    put(group, 'cpu.max', `${cpuQuotaUs(limits.cpu)} ${CPU_PERIOD_US}`)
  }

  enter(name: string): () => void {
    put(this.#path(name), 'cgroup.procs', 0)
    return () => put(this.#own, 'cgroup.procs', 0)
  }

  pids(name: string): number[] {
    return pidsIn(this.#path(name), 'cgroup.procs')
  }

  async kill(name: string): Promise<void> {
    const group = this.#path(name)
    const atOnce = existsSync(join(group, 'cgroup.kill')) // Linux 5.14
    for (let round = 0; this.pids(name).length > 0; round++) {
      if (atOnce) {
        put(group, 'cgroup.kill', 1)
      } else {
        put(group, 'cgroup.freeze', 1)
        killAll(this.pids(name))
        put(group, 'cgroup.freeze', 0)
      }
      await sleep(round < 10 ? 2 : 20)
    }
  }

  usage(name: string): CgroupUsage | null {
    const [cpu, memory] = [get(this.#path(name), 'cpu.stat'), get(this.#path(name), 'memory.current')]
    if (cpu === '' || memory === '') return null
    const droppable = counter(get(this.#path(name), 'memory.stat'), 'inactive_file')
    return { cpuMs: counter(cpu, 'usage_usec') / 1000, memoryBytes: Math.max(0, Number(memory) - droppable) }
  }

  oomKills(name: string): number {
    return counter(get(this.#path(name), 'memory.events'), 'oom_kill')
  }

  remove(name: string): void {
    removeGroup(this.#path(name))
  }

  names(): string[] {
    return subgroups(this.#parent)
  }

  removeAll(): void {
    removeGroup(this.#parent)
  }

  #path(name: string): string {
    return join(this.#parent, name)
  }
}

/** Lets the groups below be limited; systemd has done so at the top already. */
function handOn(group: string): void {
  const have = new Set(get(group, 'cgroup.subtree_control').split(/\s+/))
  const missing = CONTROLLERS.filter((controller) => !have.has(controller))
  if (missing.length > 0) put(group, 'cgroup.subtree_control', missing.map((it) => `+${it}`).join(' '))
}
