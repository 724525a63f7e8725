import type { Names } from '../../core/tracegraph/spans.ts'
import type { ClosedTrace } from '../window/closed-trace.ts'
import { FIELD } from '../wire/otlp.ts'
import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import type { Cell, TableShape } from './copy-rows.ts'
import type { KeptBecause } from './tail-sampler.ts'

/** Of a larger trace the beginning is kept. */
const MOST_BYTES = 4 * 2 ** 20
const MOST_PARTS = 500

export const TRACES: TableShape = {
  table: 'telemetry.traces',
  columns: {
    environment: 'int4',
    at: 'timestamptz',
    trace: 'bytea',
    service: 'text',
    operation: 'text',
    release: 'text',
    duration_us: 'int8',
    failed: 'bool',
    span_count: 'int4',
    kept: 'text',
    services: 'text[]',
    operations: 'text[]',
    longest_us: 'int8[]',
    failures: 'int4[]',
    spans: 'bytea',
  },
}

/** About how many bytes `traceRow` will take. */
export function traceSize({ rows, count, rawOf }: ClosedTrace): number {
  const looked = Math.min(count, 4)
  let bytes = 0
  for (let p = 0; p < looked; p++) bytes += rawOf(rows[p] as number)?.length ?? 0
  return Math.min(MOST_BYTES, looked === 0 ? 0 : (bytes / looked) * count + 300)
}

/** A kept trace as one row; `atMs` is when it is said to have begun. */
export function traceRow(closed: ClosedTrace, names: Names, kept: KeptBecause, atMs: number): Cell[] {
  const { scope, rows, count, columns, analysis } = closed
  const root = Math.max(0, analysis.root)
  const row = rows[root] as number
  const parts = partsOf(closed)
  return [
    scope,
    atMs * 1000,
    traceId(columns.trace, row),
    names.text(columns.service[row] as number),
    names.text(columns.operation[row] as number),
    names.text(columns.release[row] as number),
    Math.round((analysis.endUs[root] as number) - (analysis.startUs[root] as number)),
    parts.some((part) => part.failures > 0),
    count,
    kept,
    parts.map((part) => names.text(part.service)),
    parts.map((part) => names.text(part.operation)),
    parts.map((part) => Math.round(part.longestUs)),
    parts.map((part) => part.failures),
    exportRequest(closed, kept === 'late' ? closed.counted : 0),
  ]
}

interface Part {
  readonly service: number
  readonly operation: number
  longestUs: number
  failures: number
}

function partsOf({ columns, rows, count }: ClosedTrace): Part[] {
  const parts = new Map<number, Part>()
  for (let p = 0; p < count; p++) {
    const row = rows[p] as number
    const [service, operation] = [columns.service[row] as number, columns.operation[row] as number]
    const key = service * 2 ** 26 + operation
    let part = parts.get(key)
    if (!part) {
      if (parts.size >= MOST_PARTS) continue
      parts.set(key, (part = { service, operation, longestUs: 0, failures: 0 }))
    }
    part.longestUs = Math.max(part.longestUs, columns.durationUs[row] as number)
    part.failures += columns.failed[row] as number
  }
  return [...parts.values()]
}

/** The spans from position `from` on as they came, in one OTLP request: what reads requests reads it, and several, one behind the other, are one. */
function exportRequest({ rows, count, rawOf, resourceOf }: ClosedTrace, from: number): Uint8Array {
  const groups = new Map<string, { readonly resource: Uint8Array; readonly spans: Uint8Array[] }>()
  let bytes = 0
  for (let p = from; p < count && bytes < MOST_BYTES; p++) {
    const row = rows[p] as number
    const raw = rawOf(row)
    if (!raw) continue
    const resource = resourceOf(row) ?? new Uint8Array()
    const key = Buffer.from(resource.buffer, resource.byteOffset, resource.length).toString('latin1')
    let group = groups.get(key)
    if (!group) {
      groups.set(key, (group = { resource, spans: [] }))
      bytes += resource.length
    }
    group.spans.push(raw)
    bytes += raw.length
  }
  const writer = new ProtobufWriter(bytes + 1024)
  for (const { resource, spans } of groups.values()) {
    writer.message(FIELD.request.perResource, () => {
      writer.bytesAlways(FIELD.perResource.resource, resource)
      writer.message(FIELD.perResource.perScope, () => {
        for (const span of spans) writer.bytesAlways(FIELD.perScope.items, span)
      })
    })
  }
  return writer.finish()
}

function traceId(trace: Uint32Array, row: number): Uint8Array {
  const id = Buffer.allocUnsafe(16)
  for (let word = 0; word < 4; word++) id.writeUInt32BE(trace[4 * row + word] as number, 4 * word)
  return id
}
