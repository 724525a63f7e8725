import { PeerReader } from '../wire/peer-reader.ts'
import { ProtobufReader, textOf } from '../wire/protobuf-reader.ts'
import type { SpanPlaces } from '../wire/span-reader.ts'
import type { LabelValues } from './labels.ts'
import type { NameTable } from './name-table.ts'
import { operationName } from './operation-name.ts'
import { asks } from './pairs.ts'
import type { Resource } from './resources.ts'
import type { SpanRing } from './span-ring.ts'

const MAX_KIND = 5
/** High word of a fixed64 in microseconds, when the whole counts nanoseconds. */
const HIGH_WORD_US = 2 ** 32 / 1000
const TWO_32 = 2 ** 32
const LONGEST_US = 24 * 3600 * 1e6
const YEAR_US = 365 * 24 * 3600 * 1e6
/** Spans that began before 2000 did not. */
const EARLIEST_US = 30 * YEAR_US

/** A share of a millionth is the least that is believed: one span stands for no more than a million. */
const MAX_WEIGHT = 1e6

/** Writes one span into a row of the columns. */
export class SpanDecoder {
  /** The last span had a start or an end that cannot be. */
  timeWasPutRight = false
  readonly #columns: SpanRing
  readonly #names: NameTable
  readonly #peer = new PeerReader()
  readonly #reader = new ProtobufReader(new Uint8Array(0))

  constructor(columns: SpanRing, names: NameTable) {
    this.#columns = columns
    this.#names = names
  }

  /** False: its trace or span id is none, and nothing that counts was written. */
  decode(bytes: Uint8Array, places: SpanPlaces, resource: Resource, row: number, nowUs: number): boolean {
    const { trace, id, parent, service, instance, release, operation, peer, toSystem, kind, failed, weight, scope } = this.#columns
    if (!writeWords(bytes, places.traceFrom, places.traceTo, trace, 4 * row, 4) || !writeWords(bytes, places.idFrom, places.idTo, id, 2 * row, 2)) return false
    if (places.parentTo === places.parentFrom) parent[2 * row] = parent[2 * row + 1] = 0
    else if (places.parentTo - places.parentFrom !== 8) return false
    else writeWords(bytes, places.parentFrom, places.parentTo, parent, 2 * row, 2)
    kind[row] = places.kind > MAX_KIND ? 0 : places.kind
    failed[row] = places.failed
    weight[row] = places.stateTo > places.stateFrom ? weightOf(textOf(bytes, places.stateFrom, places.stateTo)) : 1
    scope[row] = resource.scope
    service[row] = resource.service
    instance[row] = resource.instance
    release[row] = resource.release
    this.#columns.resource[row] = resource.index
    operation[row] = places.nameTo > places.nameFrom ? this.#operation(bytes, places.nameFrom, places.nameTo, resource.operations) : 0
    peer[row] = toSystem[row] = 0
    if (asks(kind[row] as number) && places.attributesFrom !== -1) this.#readPeer(bytes, places, resource.peers, row)
    this.#writeTimes(places, row, nowUs)
    return true
  }

  #operation(bytes: Uint8Array, from: number, to: number, known: LabelValues): number {
    const found = this.#names.find(bytes, from, to)
    if (found !== -1 && known.has(found)) return found
    const name = operationName(textOf(bytes, from, to))
    if (known.isFull && this.#names.findText(name) === -1) return known.other()
    return known.admit(this.#names.internText(name))
  }

  #readPeer(bytes: Uint8Array, { attributesFrom, attributesTo }: SpanPlaces, known: LabelValues, row: number): void {
    const peer = this.#peer
    this.#reader.bytes = bytes
    peer.read(this.#reader, attributesFrom, attributesTo)
    if (peer.length === 0) return
    const found = this.#names.find(peer.bytes, 0, peer.length)
    if (found === -1 && known.isFull) this.#columns.peer[row] = known.other()
    else this.#columns.peer[row] = known.admit(found === -1 ? this.#names.intern(peer.bytes, 0, peer.length) : found)
    this.#columns.toSystem[row] = peer.isSystem ? 1 : 0
  }

  /** Times are unsigned nanoseconds; their difference is exact, the start is rounded to a quarter of a microsecond. */
  #writeTimes({ startLow, startHigh, endLow, endHigh }: SpanPlaces, row: number, nowUs: number): void {
    const { startUs, durationUs } = this.#columns
    const start = startHigh * HIGH_WORD_US + startLow / 1000
    const duration = ((endHigh - startHigh) * TWO_32 + (endLow - startLow)) / 1000
    const startIsOdd = start < EARLIEST_US || start > nowUs + YEAR_US
    const durationIsOdd = duration < 0 || duration > LONGEST_US
    this.timeWasPutRight = startIsOdd || durationIsOdd
    durationUs[row] = durationIsOdd ? (duration < 0 ? 0 : LONGEST_US) : duration
    startUs[row] = startIsOdd ? nowUs - (durationUs[row] as number) : start
  }
}

/** Copies an id as words; false: it has another length, or is all zeros. */
function writeWords(bytes: Uint8Array, from: number, to: number, words: Uint32Array, at: number, count: number): boolean {
  if (to - from !== 4 * count) return false
  let any = 0
  for (let word = 0, byte = from; word < count; word++, byte += 4) {
    const value = ((bytes[byte] as number) << 24) | ((bytes[byte + 1] as number) << 16) | ((bytes[byte + 2] as number) << 8) | (bytes[byte + 3] as number)
    words[at + word] = value
    any |= value
  }
  return any !== 0
}

const THRESHOLD = /(?:^|[,;:])th:([0-9a-f]{1,14})/
const POWER = /(?:^|[,;:])p:(\d{1,2})/

/**
 * How many spans this one stands for, as `tracestate` says by OpenTelemetry's rules: `th` is the rejected share of 2^56, with trailing zeros
 * left out; the older `p` is −log2 of the kept share.
 *
 * @example weightOf('ot=th:8') // 2
 */
export function weightOf(tracestate: string): number {
  const member = tracestate.split(',').find((entry) => entry.trim().startsWith('ot='))
  if (member === undefined) return 1
  const value = member.trim().slice(3)
  const threshold = THRESHOLD.exec(value)?.[1]
  if (threshold !== undefined) return Math.min(MAX_WEIGHT, 1 / (1 - Number.parseInt(threshold.padEnd(14, '0'), 16) / 2 ** 56))
  const power = Number(POWER.exec(value)?.[1] ?? 0)
  return power < 63 ? Math.min(MAX_WEIGHT, 2 ** power) : 1
}
