import { readFileSync } from 'node:fs'

/**
 * When the process with this id began, in clock ticks since boot; null: there is none. Together with the id it names one
 * process, because ids come round again. Where there is no /proc, being alive must do.
 */
export function startedAt(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? null : (fields[19] as string)
  } catch {
    return process.platform !== 'linux' && isAlive(pid) ? 'alive' : null
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
