import { errorSignature, placeOf } from '../../core/model/error-signature.ts'
import { KIND, type Names } from '../../core/tracegraph/spans.ts'
import { httpStatus } from '../storage/http-status.ts'
import type { ClosedTrace } from '../window/closed-trace.ts'
import { type Attributes, readAttributes } from '../wire/attributes.ts'
import { FIELD, lengthDelimited } from '../wire/otlp.ts'
import { MalformedProtobuf, ProtobufReader } from '../wire/protobuf-reader.ts'

export interface SpanError {
  readonly atMs: number
  readonly service: string
  readonly release: string
  readonly instance: string
  /** '': the span says only that it failed. */
  readonly error: string
  readonly place: string
}

/**
 * The errors of a trace, of its new spans: exceptions that failed spans tell of, each once a visit of a service however far up it was passed on;
 * of a request that failed and tells of none, its operation and status. `mayRead`: whether there is time for one more exception.
 */
export function spanErrors(closed: ClosedTrace, names: Names, mayRead: () => boolean = () => true): SpanError[] {
  const { columns, rows, counted, count, rawOf, analysis } = closed
  const errors = new Map<string, SpanError>()
  const explained = new Set<number>()
  const at = (p: number, error: string): SpanError => {
    const row = rows[p] as number
    const visit = rows[analysis.visit[p] as number] ?? row
    const text = (column: Uint32Array) => names.text(column[row] as number)
    return {
      atMs: (analysis.endUs[p] as number) / 1000,
      service: text(columns.service),
      release: text(columns.release),
      instance: text(columns.instance),
      error,
      place: columns.kind[visit] === KIND.server || columns.kind[visit] === KIND.consumer ? requestOf(visit) : '',
    }
  }
  const requestOf = (row: number) => {
    const raw = rawOf(row)
    return placeOf(names.text(columns.operation[row] as number), raw === null ? null : httpStatus(raw))
  }
  for (let p = counted; p < count; p++) {
    const row = rows[p] as number
    const raw = columns.failed[row] === 1 ? rawOf(row) : null
    const exception = raw === null || !mayRead() ? null : exceptionOf(raw)
    const error = exception === null ? '' : errorSignature(exception)
    if (error === '') continue
    const visit = analysis.visit[p] as number
    explained.add(visit)
    if (!errors.has(`${visit} ${error}`)) errors.set(`${visit} ${error}`, at(p, error))
  }
  for (let p = counted; p < count; p++) {
    const row = rows[p] as number
    if (columns.failed[row] !== 1 || analysis.visit[p] !== p || explained.has(p)) continue
    if (columns.kind[row] === KIND.server || columns.kind[row] === KIND.consumer) errors.set(`${p}`, at(p, ''))
  }
  return [...errors.values()]
}

const EVENTS = lengthDelimited(FIELD.span.events)
const reader = new ProtobufReader(new Uint8Array(0))

/** The last exception that the Span message tells of: the one that ended it. */
function exceptionOf(span: Uint8Array): { type: string; message: string; stack: string } | null {
  reader.bytes = span
  reader.at = 0
  let found: Attributes | null = null
  try {
    while (reader.at < span.length) {
      const tag = reader.tag(span.length)
      if (tag !== EVENTS) {
        reader.skip(tag, span.length)
        continue
      }
      const end = reader.length(span.length)
      const from = reader.at
      const attributes = readAttributes(reader, end, FIELD.event.attributes)
      reader.at = from
      if (nameOf(end) === 'exception') found = attributes
      reader.at = end
    }
  } catch (error) {
    if (!(error instanceof MalformedProtobuf)) throw error
  }
  return found === null ? null : exceptionIn(found)
}

function nameOf(end: number): string {
  let name = ''
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === lengthDelimited(FIELD.event.name)) name = reader.text(reader.length(end))
    else reader.skip(tag, end)
  }
  return name
}

/** By OpenTelemetry's names; null: the attributes tell of no exception. */
export function exceptionIn(attributes: Readonly<Record<string, unknown>>): { type: string; message: string; stack: string } | null {
  const text = (key: string) => (typeof attributes[key] === 'string' ? (attributes[key] as string) : '')
  const exception = { type: text('exception.type'), message: text('exception.message'), stack: text('exception.stacktrace') }
  return exception.type === '' && exception.message === '' && exception.stack === '' ? null : exception
}
