import { readFileSync } from 'node:fs'
import type { CgroupUsage } from './cgroups/cgroups.ts'
import type { Machine } from './machine.ts'
import { pidsOf } from './tree.ts'

/** Of the kernel's USER_HZ, the same on all machines that Weir runs on. */
const MS_PER_TICK = 10

/**
 * What runs under this id takes of the machine; null: nothing runs. The kernel's own accounts count also what has ended; where a group has none
 * (no control groups, or none for memory), the living processes are added up.
 */
export function usageOf(machine: Machine, id: string, token: string): CgroupUsage | null {
  const accounted = machine.cgroups?.usage(id)
  if (accounted) return accounted
  const processes = pidsOf(machine, id, token).map(processUsage)
  return processes.length === 0
    ? null
    : processes.reduce((sum, it) => ({ cpuMs: sum.cpuMs + it.cpuMs, memoryBytes: sum.memoryBytes + it.memoryBytes }), { cpuMs: 0, memoryBytes: 0 })
}

/** Its own, and the time of its children that have ended. */
function processUsage(pid: number): CgroupUsage {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = fields.slice(11, 15).reduce((sum, it) => sum + Number(it), 0)
    const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return { cpuMs: ticks * MS_PER_TICK, memoryBytes: Number(resident?.[1] ?? 0) * 1024 }
  } catch {
    return { cpuMs: 0, memoryBytes: 0 } // it has just ended
  }
}
