import { errorSignature, placeOf } from '../../core/model/error-signature.ts'
import { KIND, type Names } from '../../core/tracegraph/spans.ts'
import { httpStatus } from '../storage/http-status.ts'
import type { ClosedTrace } from '../window/closed-trace.ts'
import { type Attributes, readAttributes, readableAttributes } from '../wire/attributes.ts'
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
  /** Who asked, as the gateway writes it down while clients are judged; '': not known. */
  readonly client: string
}

export interface Asked {
  /** Whether there is time for one more exception. */
  readonly mayRead?: () => boolean
  /** Whether any release of the service sends spans of its own. */
  readonly sends?: (scope: number, service: string) => boolean
}

/**
 * The errors of a trace, of its new spans: exceptions that failed spans tell of, each once a visit of a service however far up it was passed on;
 * of a request that failed and tells of none, its operation and status.
 *
 * | the visit was entered by                                     | the request is                                                |
 * |--------------------------------------------------------------|---------------------------------------------------------------|
 * | a server or consumer span                                    | that span                                                     |
 * | the gateway's internal span, a server span of its own below  | the server span: as of a release that is known to send spans  |
 * | the gateway's internal span, the service sends no spans      | that span: as of a release that is known to send none         |
 * | the gateway's internal span, the service's own are yet to come | none                                                        |
 * | any other                                                    | none                                                          |
 */
export function spanErrors(closed: ClosedTrace, names: Names, { mayRead = () => true, sends = () => false }: Asked = {}): SpanError[] {
  const { columns, rows, counted, count, rawOf, analysis } = closed
  const errors = new Map<string, SpanError>()
  const explained = new Set<number>()
  const requests = new Requests(closed, (service) => sends(closed.scope, names.text(service)))
  const client = once(() => clientOf(closed))
  const at = (p: number, error: string): SpanError => {
    const row = rows[p] as number
    const request = requests.of(analysis.visit[p] as number)
    const text = (column: Uint32Array) => names.text(column[row] as number)
    return {
      atMs: (analysis.endUs[p] as number) / 1000,
      service: text(columns.service),
      release: text(columns.release),
      instance: text(columns.instance),
      error,
      place: request === NONE ? '' : placeOf(names.text(columns.operation[request] as number), statusOf(request, rawOf)),
      client: client(),
    }
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
    const visit = analysis.visit[p] as number
    if (columns.failed[row] === 1 && !explained.has(visit) && requests.of(visit) === row) errors.set(`${p}`, at(p, ''))
  }
  return [...errors.values()]
}

const NONE = -1
/** How the gateway names it. */
const CLIENT = 'weir.client'

/** Of a visit, the row of the span that stands for the request. */
class Requests {
  readonly #closed: ClosedTrace
  readonly #sends: (service: number) => boolean
  readonly #serverOf = once(() => this.#servers())

  constructor(closed: ClosedTrace, sends: (service: number) => boolean) {
    this.#closed = closed
    this.#sends = sends
  }

  of(visit: number): number {
    const { columns, rows } = this.#closed
    const row = rows[visit] as number
    const kind = columns.kind[row]
    if (kind === KIND.server || kind === KIND.consumer) return row
    if (kind !== KIND.internal || !isGateways(this.#closed, row)) return NONE
    return this.#serverOf().get(visit) ?? (this.#sends(columns.service[row] as number) ? NONE : row)
  }

  /** The first of each visit. */
  #servers(): ReadonlyMap<number, number> {
    const { columns, rows, count, analysis } = this.#closed
    const found = new Map<number, number>()
    for (let p = 0; p < count; p++) {
      const visit = analysis.visit[p] as number
      if (columns.kind[rows[p] as number] === KIND.server && !found.has(visit)) found.set(visit, rows[p] as number)
    }
    return found
  }
}

function statusOf(row: number, rawOf: ClosedTrace['rawOf']): number {
  const raw = rawOf(row)
  return raw === null ? 0 : httpStatus(raw)
}

/** It alone may name an environment. */
function isGateways({ makerOf }: ClosedTrace, row: number): boolean {
  return typeof makerOf(row)?.claims.environment === 'string'
}

/** One request at the entry is one trace, so whichever span names its client names it for all. */
function clientOf(closed: ClosedTrace): string {
  const { rows, count, rawOf } = closed
  for (let p = 0; p < count; p++) {
    const row = rows[p] as number
    const raw = isGateways(closed, row) ? rawOf(row) : null
    if (raw === null) continue
    const client = readableAttributes(new ProtobufReader(raw), raw.length, FIELD.span.attributes)[CLIENT]
    if (typeof client === 'string' && /^[0-9a-f]{16}$/.test(client)) return client
  }
  return ''
}

function once<T>(make: () => T): () => T {
  let made: { readonly it: T } | null = null
  return () => (made ??= { it: make() }).it
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
