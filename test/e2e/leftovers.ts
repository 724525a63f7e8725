import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from '../../src/spawn.ts'

/** Of which installation: its state folder, and the first of its accounts (null: not root, apps run as the user). */
export interface Traces {
  readonly home: string
  readonly uidBase: number | null
}

const ACCOUNTS_OF_ONE = 100_000

/** Everything on this machine that an installation started or made, its files apart; one line each. */
export async function leftovers(traces: Traces): Promise<string[]> {
  const name = `weir-${createHash('sha256').update(traces.home).digest('hex').slice(0, 8)}`
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(traces.home))
  return [...processesOf(traces), ...cgroupsNamed(name), ...(await rulesNaming(name)), ...mounts.map((line) => `mount ${line}`)]
}

/** Processes that name the state folder or run as one of its accounts. */
export function processesOf({ home, uidBase }: Traces): string[] {
  const found: string[] = []
  for (const pid of readdirSync('/proc').filter((it) => /^\d+$/.test(it) && Number(it) !== process.pid)) {
    try {
      const environ = readFileSync(`/proc/${pid}/environ`, 'utf8')
      const uid = Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
      const isZombie = readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
      const isAccount = uidBase !== null && uid > uidBase && uid < uidBase + ACCOUNTS_OF_ONE
      if (!isZombie && (isAccount || environ.split('\0').includes(`WEIR_HOME=${home}`)))
        found.push(`process ${pid}: ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`)
    } catch {
      // it ended while we looked
    }
  }
  return found
}

/** Version 2 has one tree, version 1 one for each controller; ours lie below the runner's own group. */
function cgroupsNamed(name: string, below = '/sys/fs/cgroup'): string[] {
  return foldersIn(below).flatMap((it) => [...(it === name ? [`cgroup ${join(below, it)}`] : []), ...cgroupsNamed(name, join(below, it))])
}

/** None where the folder has gone meanwhile: other installations come and go beside this one. */
function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  } catch {
    return []
  }
}

async function rulesNaming(chain: string): Promise<string[]> {
  if (process.getuid?.() !== 0) return []
  const found: string[] = []
  for (const program of ['iptables', 'ip6tables']) {
    const { code, stdout, stderr } = await runCommand({ argv: [program, '-w', '-S'], env: {}, timeoutMs: 10_000, maxOutputBytes: 16 * 1024 * 1024 })
    if (code !== 0) throw new Error(`${program} -S ended with ${code}: ${stderr}`)
    found.push(...stdout.split('\n').flatMap((line) => (line.includes(chain) ? [`${program} ${line}`] : [])))
  }
  return found
}
