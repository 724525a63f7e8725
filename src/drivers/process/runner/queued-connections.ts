import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const SWITCH = '/proc/sys/net/ipv4/tcp_migrate_req'
const RECORD = 'tcp-migrate-req'

/**
 * When a listening socket is closed, the kernel resets the connections in its queue that nobody has accepted yet, unless it is told to hand
 * them to another listener on the same port (SO_REUSEPORT). A gateway that takes over from a dead one needs that, or a request is lost by
 * chance. What the machine had before is kept in a record, and put back when everything ends.
 *
 * Source: Linux, Documentation/networking/ip-sysctl.rst, tcp_migrate_req.
 */
export function keepQueuedConnections(folder: string): void {
  if (process.getuid?.() !== 0) return
  try {
    const before = readFileSync(SWITCH, 'utf8').trim()
    if (before !== '0') return
    writeFileSync(join(folder, RECORD), before)
    writeFileSync(SWITCH, '1')
  } catch {
    // a kernel before 5.14, or /proc/sys is read-only: the chance remains
  }
}

/** As the machine was before. */
export function restoreQueuedConnections(folder: string): void {
  const record = join(folder, RECORD)
  try {
    writeFileSync(SWITCH, readFileSync(record, 'utf8'))
    rmSync(record)
  } catch {
    // nothing was changed
  }
}
