import { createAnalyser } from '../../core/tracegraph/analyse.ts'
import { KIND, type Span } from '../../core/tracegraph/spans.ts'
import { otlpFromJson } from '../wire/otlp-json.ts'
import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import type { ClosedTrace } from './closed-trace.ts'
import { TraceWindow, type TraceWindowOptions } from './trace-window.ts'

export type Attributes = Readonly<Record<string, string | number | boolean>>

/** A span as tests write it down; times in milliseconds after `EPOCH_MS`. */
export interface TestSpan extends Omit<Span, 'startUs' | 'durationUs' | 'service' | 'operation'> {
  readonly service?: string
  readonly operation?: string
  readonly startMs?: number
  readonly durationMs?: number
  readonly attributes?: Attributes
}

export const EPOCH_MS = Date.UTC(2026, 0, 1)

export const traceId = (n: number) => n.toString(16).padStart(32, '0')
export const spanId = (n: number) => n.toString(16).padStart(16, '0')

/** An ExportTraceServiceRequest, a resource a service. */
export function requestOf(spans: readonly TestSpan[], resource: Attributes = {}): Uint8Array {
  const byService = Map.groupBy(spans, ({ service }) => service ?? 'web')
  return otlpFromJson('traces', {
    resourceSpans: [...byService].map(([service, its]) => ({
      resource: { attributes: keyValues({ 'service.name': service, ...resource }) },
      scopeSpans: [{ spans: its.map(spanJson) }],
    })),
  })
}

/** A span that is taken in, with an attribute of which an announced byte is missing. */
export function withBrokenAttribute(trace = traceId(2)): Uint8Array {
  const writer = new ProtobufWriter()
  const span = (): void => {
    writer.bytes(1, Buffer.from(trace, 'hex'))
    writer.bytes(2, Buffer.from(spanId(1), 'hex'))
    writer.message(9, () => {
      writer.text(1, 'whole')
      writer.message(2, () => writer.text(1, 'yes'))
    })
    writer.bytes(9, Uint8Array.of(0x0a, 9, 0x61))
  }
  writer.message(1, () => writer.message(2, () => writer.message(2, span)))
  return writer.finish()
}

function spanJson({ trace, id, parent, operation, kind, startMs = 0, durationMs = 1, failed, attributes = {}, peer }: TestSpan) {
  const start = BigInt(Math.round((EPOCH_MS + startMs) * 1000)) * 1000n
  return {
    traceId: trace,
    spanId: id,
    parentSpanId: parent ?? '',
    name: operation ?? 'work',
    kind: KIND[kind],
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + BigInt(Math.round(durationMs * 1e6))),
    attributes: keyValues(peer === undefined ? attributes : { 'peer.service': peer, ...attributes }),
    status: failed ? { code: 2 } : {},
  }
}

export function keyValues(attributes: Attributes) {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? { stringValue: value } : typeof value === 'boolean' ? { boolValue: value } : { intValue: value },
  }))
}

/** What was told of a closed trace, copied. */
export interface Told {
  readonly scope: number
  readonly trace: string
  readonly operations: readonly string[]
  readonly counted: number
  readonly raw: readonly (Uint8Array | null)[]
}

/** A window whose time stands still unless told. */
export function testWindow(options: Partial<TraceWindowOptions> = {}) {
  const told: Told[] = []
  const edges: string[] = []
  const clock = { nowMs: EPOCH_MS }
  const window: TraceWindow = new TraceWindow({
    maxSpans: 1024,
    maxBytes: 2 ** 30,
    rawBytes: 1 << 20,
    now: () => clock.nowMs,
    analyser: createAnalyser(),
    onEdge: (_, caller, callee) => {
      const { columns, names } = window
      edges.push(`${names.text(columns.service[caller] as number)} → ${names.text((callee === -1 ? columns.peer[caller] : columns.service[callee]) as number)}`)
    },
    onClosed: (closed) => told.push(copyOf(closed, window)),
    ...options,
  })
  const pass = (ms: number) => {
    for (const until = clock.nowMs + ms; clock.nowMs < until; ) {
      clock.nowMs += Math.min(100, until - clock.nowMs)
      window.tick(clock.nowMs)
    }
  }
  return { window, told, edges, clock, pass }
}

function copyOf(closed: ClosedTrace, { names, columns }: TraceWindow): Told {
  const rows = [...closed.rows.subarray(0, closed.count)]
  return {
    scope: closed.scope,
    trace: closed.traceId(),
    operations: rows.map((row) => names.text(columns.operation[row] as number)),
    counted: closed.counted,
    raw: rows.map((row) => closed.rawOf(row)?.slice() ?? null),
  }
}
