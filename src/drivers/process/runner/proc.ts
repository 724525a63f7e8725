import { readdirSync, readFileSync } from 'node:fs'

/** A process for ever: pids come back, a pid with its start time does not. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks since boot. */
  readonly startTime: number
}

export interface ProcessStat extends ProcessIdentity {
  readonly parent: number
  /** Dead, only not yet reaped by its parent. */
  readonly zombie: boolean
}

/** null: there is no such process. */
export function processStat(pid: number): ProcessStat | null {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return null
  }
  // The name in parentheses may hold anything, parentheses and spaces too: fields are counted from the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { pid, zombie: fields[0] === 'Z' || fields[0] === 'X', parent: Number(fields[1]), startTime: Number(fields[19]) }
}

export function isAlive(process: ProcessIdentity): boolean {
  const stat = processStat(process.pid)
  return stat !== null && !stat.zombie && stat.startTime === process.startTime
}

/** Processes that were started with `NAME=value` in their environment and may be read by us. */
export function processesWith(variable: string): number[] {
  const wanted = `${variable}\0`
  return allProcesses().filter((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1')
      return environment.startsWith(wanted) || environment.includes(`\0${wanted}`)
    } catch {
      return false // somebody else's, or gone
    }
  })
}

function allProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** The one that the others come from: its parent is not among them. */
export function rootOf(pids: readonly number[]): ProcessIdentity | null {
  const stats = pids.map(processStat).filter((stat) => stat !== null && !stat.zombie) as ProcessStat[]
  const among = new Set(pids)
  const roots = stats.filter((stat) => !among.has(stat.parent)).sort((a, b) => a.startTime - b.startTime)
  return roots[0] ?? null
}

/** Changes with every boot; clock ticks and pids of another boot mean nothing. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

/** The kernel's monotonic clock: the same for all processes of one boot, so a later runner can go on counting. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}
