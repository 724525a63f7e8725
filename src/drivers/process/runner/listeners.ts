import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Hex of TCP state LISTEN in /proc/net/tcp. */
const LISTEN = '0A'

export interface Listener {
  /** `127.0.0.1`, `0.0.0.0`, `[::]`, … */
  readonly address: string
  readonly port: number
}

/** Where these processes listen: sockets among their open files that the kernel lists as listening. */
export function listenersOf(pids: readonly number[]): Listener[] {
  const inodes = new Set(pids.flatMap(socketInodes))
  return [...table('/proc/net/tcp'), ...table('/proc/net/tcp6')].filter((row) => row.state === LISTEN && inodes.has(row.inode))
}

/** Every local TCP port in use by anybody, listening or connected. */
export function portsInUse(): Set<number> {
  return new Set([...table('/proc/net/tcp'), ...table('/proc/net/tcp6')].map((row) => row.port))
}

/**
 * Why nobody answers on the port that was given.
 *
 * @example whyNotListening([{ address: '0.0.0.0', port: 3000 }], 'PORT', 20007) // "listens on 3000, not on PORT=20007"
 */
export function whyNotListening(listeners: readonly Listener[], variable: string, port: number): string | null {
  if (listeners.length === 0) return `listens on no port (expected ${variable}=${port})`
  const right = listeners.filter((it) => it.port === port)
  if (right.length === 0) return `listens on ${[...new Set(listeners.map((it) => it.port))].join(', ')}, not on ${variable}=${port}`
  if (right.some((it) => ['127.0.0.1', '0.0.0.0', '[::]'].includes(it.address))) return null
  return `listens on ${right.map((it) => `${it.address}:${it.port}`).join(', ')}, not on HOST=127.0.0.1`
}

interface Row extends Listener {
  readonly state: string
  readonly inode: string
}

function table(path: string): Row[] {
  let text: string
  try {
    text = readFileSync(path, 'latin1')
  } catch {
    return [] // no IPv6 on this machine
  }
  return text
    .split('\n')
    .slice(1)
    .filter(Boolean)
    .map((line) => {
      const [, local = '', , state = '', , , , , , inode = ''] = line.trim().split(/\s+/)
      const [address = '', port = ''] = local.split(':')
      return { address: readableAddress(address), port: Number.parseInt(port, 16), state, inode }
    })
}

/** Groups of four bytes, each group in the machine's (little-endian) order. */
function readableAddress(hex: string): string {
  const bytes = Buffer.concat((hex.match(/.{8}/g) ?? []).map((group) => Buffer.from(group, 'hex').reverse()))
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.every((byte) => byte === 0)) return '[::]'
  if (bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255) return bytes.subarray(12).join('.')
  if (bytes.subarray(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return '[::1]'
  return `[${bytes.toString('hex').match(/.{4}/g)?.join(':') ?? ''}]`
}

function socketInodes(pid: number): string[] {
  let files: string[]
  try {
    files = readdirSync(`/proc/${pid}/fd`)
  } catch {
    return [] // gone
  }
  return files.flatMap((file) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${file}`))?.[1] ?? []
    } catch {
      return [] // closed meanwhile
    }
  })
}
