import { type Analyser, CRITICAL, createAnalyser, KIND, type TraceAnalysis } from '../core/tracegraph/index.ts'
import type { SpanView, TraceFilter, TraceLine, TraceView } from './telemetry.ts'
import { hexOf } from './window/trace-table.ts'
import type { TraceWindow } from './window/trace-window.ts'
import { readableAttributes } from './wire/attributes.ts'
import { FIELD } from './wire/otlp.ts'
import { ProtobufReader } from './wire/protobuf-reader.ts'

/** A question looks at no more spans than this: the window goes on taking in meanwhile. */
const MAX_LOOKED_AT = 400_000
const KINDS = Object.fromEntries(Object.entries(KIND).map(([name, number]) => [number, name])) as Record<number, SpanView['kind']>

/** The traces that are still in the window, as people want to see them. */
export class RecentTraces {
  readonly #window: TraceWindow
  readonly #analyser: Analyser = createAnalyser()

  constructor(window: TraceWindow) {
    this.#window = window
  }

  /** Newest first, of one environment. */
  list(scope: number, filter: TraceFilter): TraceLine[] {
    const { columns } = this.#window
    const seen = new Set<number>()
    const lines: TraceLine[] = []
    let looked = 0
    for (const row of this.#window.newestFirst()) {
      if (++looked > MAX_LOOKED_AT || lines.length >= filter.limit) break
      const slot = columns.slot[row] as number
      if (columns.scope[row] !== scope || seen.has(slot)) continue
      seen.add(slot)
      const line = this.#line(slot).line
      if (isWanted(line, filter)) lines.push(line)
    }
    return lines
  }

  /** null: it is not there any more, or never was. */
  trace(scope: number, id: string): TraceView | null {
    const words = Uint32Array.from({ length: 4 }, (_, at) => Number.parseInt(id.slice(8 * at, 8 * at + 8), 16))
    const slot = this.#window.traces.find(scope, words, 0)
    if (slot < 0) return null
    const { line, analysis, rows } = this.#line(slot)
    return { ...line, orphans: analysis.orphans, tree: this.#tree(analysis, rows) }
  }

  #line(slot: number): { line: TraceLine; analysis: TraceAnalysis; rows: Int32Array } {
    const { columns, names } = this.#window
    const rows = this.#window.rowsOf(slot)
    const analysis = this.#analyser.analyse(columns, rows, rows.length)
    const root = Math.max(0, analysis.root)
    let firstUs = Number.POSITIVE_INFINITY
    let lastUs = 0
    let failed = false
    const services = new Set<string>()
    for (let p = 0; p < rows.length; p++) {
      const row = rows[p] as number
      firstUs = Math.min(firstUs, analysis.startUs[p] as number)
      lastUs = Math.max(lastUs, analysis.endUs[p] as number)
      failed ||= columns.failed[row] === 1
      services.add(names.text(columns.service[row] as number))
    }
    const line = {
      id: hexOf(this.#window.traces.id, 4 * slot, 4),
      at: firstUs / 1000,
      durationMs: analysis.complete ? ((analysis.endUs[root] as number) - (analysis.startUs[root] as number)) / 1000 : (lastUs - firstUs) / 1000,
      service: names.text(analysis.rootService),
      operation: names.text(analysis.rootOperation),
      failed,
      spans: rows.length,
      services: [...services],
    }
    return { line, analysis, rows }
  }

  #tree(analysis: TraceAnalysis, rows: Int32Array): SpanView[] {
    const { columns, names } = this.#window
    const beginUs = analysis.startUs.subarray(0, rows.length).reduce((least, it) => Math.min(least, it), Number.POSITIVE_INFINITY)
    const view = (p: number, depth: number): SpanView => {
      const row = rows[p] as number
      const parent = hexOf(columns.parent, 2 * row, 2)
      return {
        id: hexOf(columns.id, 2 * row, 2),
        parent: /^0+$/.test(parent) ? null : parent,
        depth,
        service: names.text(columns.service[row] as number),
        operation: names.text(columns.operation[row] as number),
        kind: KINDS[columns.kind[row] as number] ?? 'unspecified',
        startMs: ((analysis.startUs[p] as number) - beginUs) / 1000,
        durationMs: (columns.durationUs[row] as number) / 1000,
        exclusiveMs: (analysis.exclusiveUs[p] as number) / 1000,
        criticalMs: analysis.critical[p] === CRITICAL.yes ? (analysis.criticalUs[p] as number) / 1000 : 0,
        failed: columns.failed[row] === 1,
        peer: textOrNull(names.text(columns.peer[row] as number)),
        instance: textOrNull(names.text(columns.instance[row] as number)),
        release: textOrNull(names.text(columns.release[row] as number)),
        attributes: this.#attributes(row),
      }
    }
    const children = childrenOf(analysis, rows.length)
    const spans: SpanView[] = []
    const open = (children.get(-1) ?? []).reverse().map((p) => ({ p, depth: 0 }))
    for (let next = open.pop(); next; next = open.pop()) {
      const { p, depth } = next
      spans.push(view(p, depth))
      for (const child of (children.get(p) ?? []).reverse()) open.push({ p: child, depth: depth + 1 })
    }
    return spans
  }

  /** As they came; empty when they have been written over. */
  #attributes(row: number): Readonly<Record<string, unknown>> {
    const { columns, raw } = this.#window
    const offset = raw.offsetOf(columns.rawAt[row] as number)
    if (offset === -1) return {}
    return readableAttributes(new ProtobufReader(raw.bytes, offset), offset + (columns.rawLength[row] as number), FIELD.span.attributes)
  }
}

/** Positions by parent, each list by start; a span delivered twice is there once. */
function childrenOf(analysis: TraceAnalysis, count: number): Map<number, number[]> {
  const children = new Map<number, number[]>()
  for (let p = 0; p < count; p++) {
    const parent = analysis.parents[p] as number
    const list = children.get(parent)
    if (list) list.push(p)
    else children.set(parent, [p])
  }
  for (const list of children.values()) list.sort((a, b) => (analysis.startUs[a] as number) - (analysis.startUs[b] as number))
  return children
}

function isWanted(line: TraceLine, { service, errors, minMs, before }: TraceFilter): boolean {
  if (service !== undefined && !line.services.includes(service)) return false
  return (!errors || line.failed) && line.durationMs >= (minMs ?? 0) && line.at < (before ?? Number.POSITIVE_INFINITY)
}

function textOrNull(text: string): string | null {
  return text === '' ? null : text
}
