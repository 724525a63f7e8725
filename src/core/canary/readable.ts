/** Counts are taken as they come from other processes: what cannot be true is left out, and known of, for no release passes on it. */
import { type ClientRow, type EvidenceBlock, type EvidenceRow, QUANTILES, type ReplicaRow, type SentRow } from './evidence.ts'

type Counted = Pick<EvidenceRow, 'side' | 'requests' | 'errors' | 'timed' | 'slow' | 'abandoned'>

export function isReadableRow(row: EvidenceRow): boolean {
  return areCounts(row) && isCount(row.rejected4xx) && row.errors + row.rejected4xx <= row.requests && isName(row.service) && isName(row.route)
}

export function isReadableReplica(row: ReplicaRow): boolean {
  return areCounts(row) && isName(row.service) && isName(row.replica)
}

export function isReadableSent(row: SentRow): boolean {
  return (row.side === 'canary' || row.side === 'stable') && isCount(row.requests) && isCount(row.drawn) && row.drawn <= row.requests && isName(row.service)
}

export function isReadableClient(row: ClientRow): boolean {
  return areCounts(row) && isCount(row.rejected4xx) && isName(row.client) && Array.isArray(row.failed)
}

export function isReadableBlock(block: EvidenceBlock): boolean {
  const { stage, fromMs, toMs, rows, replicas, clients, sent = [] } = block
  return (
    Number.isFinite(stage) &&
    Number.isFinite(fromMs) &&
    Number.isFinite(toMs) &&
    fromMs <= toMs &&
    [rows, replicas, clients, sent].every((it) => Array.isArray(it))
  )
}

function areCounts(row: Counted): boolean {
  if (row === null || typeof row !== 'object' || (row.side !== 'canary' && row.side !== 'stable') || !Array.isArray(row.slow)) return false
  if (!isCount(row.requests) || !isCount(row.errors) || !isCount(row.timed) || !isCount(row.abandoned ?? 0)) return false
  if (row.errors > row.requests || row.timed > row.requests + (row.abandoned ?? 0)) return false
  if (row.timed > 0 && row.slow.length !== QUANTILES.length) return false
  for (const it of row.slow) if (!isCount(it) || it > row.timed) return false
  return true
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isSafeInteger(value)
}

function isName(value: unknown): value is string {
  return typeof value === 'string'
}

const REMEMBERED = 4096

/** Blocks that come twice count once. */
export class Twice {
  readonly #keys = new Set<number>()

  isNew(block: EvidenceBlock): boolean {
    const key = fingerprint(block)
    if (this.#keys.has(key)) return false
    this.#keys.add(key)
    if (this.#keys.size > REMEMBERED) this.#keys.delete(this.#keys.values().next().value as number)
    return true
  }
}

/** 53 bits of what was counted (cyrb53); of names, their ends. */
function fingerprint({ stage, fromMs, toMs, rows, replicas, clients, sent = [] }: EvidenceBlock): number {
  let h1 = 0xdeadbeef
  let h2 = 0x41c6ce57
  const mix = (value: number) => {
    h1 = Math.imul(h1 ^ value, 2654435761)
    h2 = Math.imul(h2 ^ value, 1597334677)
  }
  const text = (value: string) => {
    mix(value.length)
    for (let i = Math.max(0, value.length - 4); i < value.length; i++) mix(value.charCodeAt(i))
  }
  const sums = (row: Counted) => {
    mix(row.side === 'canary' ? 1 : 0)
    mix(row.requests)
    mix(row.errors)
    mix(row.timed)
    for (const it of row.slow) mix(it)
  }
  for (const value of [stage, fromMs, fromMs / 2 ** 31, toMs]) mix(value)
  for (const row of rows) {
    text(row.route)
    sums(row)
  }
  for (const row of sent) {
    text(row.service)
    mix(row.side === 'canary' ? 1 : 0)
    mix(row.requests)
    mix(row.drawn)
  }
  for (const row of replicas) {
    text(row.replica)
    sums(row)
  }
  for (const row of clients) {
    text(row.client)
    sums(row)
  }
  h1 = Math.imul(h1 ^ (h1 >>> 16), 2246822507) ^ Math.imul(h2 ^ (h2 >>> 13), 3266489909)
  h2 = Math.imul(h2 ^ (h2 >>> 16), 2246822507) ^ Math.imul(h1 ^ (h1 >>> 13), 3266489909)
  return 4294967296 * (2097151 & h2) + (h1 >>> 0)
}
