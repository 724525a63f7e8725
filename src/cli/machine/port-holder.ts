import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface PortHolder {
  readonly pid: number | null
  /** `nginx`, or that it cannot be seen. */
  readonly name: string
}

const LISTEN = '0A'

/**
 * Which program listens on a TCP port of this machine; null: none. Without root, programs of others are seen but not named.
 *
 * @example portHolder(80) // { pid: 812, name: 'nginx' }
 */
export function portHolder(port: number): PortHolder | null {
  const inodes = listeningInodes(port)
  if (inodes.size === 0) return null
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (holdsOne(pid, inodes)) return { pid: Number(pid), name: readText(`/proc/${pid}/comm`).trim() }
  }
  return { pid: null, name: 'a program of another user' }
}

/** Whether the program works for the installation in `home`: a gateway outlives its runner and keeps its ports. */
export function belongsTo(holder: PortHolder, home: string): boolean {
  return holder.pid !== null && readText(`/proc/${holder.pid}/environ`).split('\0').includes(`WEIR_HOME=${home}`)
}

function listeningInodes(port: number): Set<string> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  const inodes = new Set<string>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readText(table).split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
      if (state === LISTEN && local.endsWith(`:${wanted}`)) inodes.add(`socket:[${inode}]`)
    }
  }
  return inodes
}

function holdsOne(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return inodes.has(readlinkSync(`/proc/${pid}/fd/${fd}`))
      } catch {
        return false // closed meanwhile
      }
    })
  } catch {
    return false // ended meanwhile, or of another user
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // not there, or of another user: then it says nothing
  }
}
