import { WIRE } from './protobuf-reader.ts'

/** Field numbers of OTLP 1.x: opentelemetry/proto/{trace,metrics,logs,common,resource,collector}. */
export const FIELD = {
  /** The repeated member of all three export requests; of resource_*: resource, then scope_*; of scope_*: scope, then items. */
  request: { perResource: 1 },
  perResource: { resource: 1, perScope: 2 },
  perScope: { scope: 1, items: 2 },
  resource: { attributes: 1 },
  scope: { name: 1, version: 2 },
  keyValue: { key: 1, value: 2 },
  anyValue: { string: 1, bool: 2, int: 3, double: 4, array: 5, list: 6, bytes: 7 },
  values: { values: 1 },
  span: {
    trace: 1,
    id: 2,
    state: 3,
    parent: 4,
    name: 5,
    kind: 6,
    start: 7,
    end: 8,
    attributes: 9,
    droppedAttributes: 10,
    events: 11,
    droppedEvents: 12,
    links: 13,
    droppedLinks: 14,
    status: 15,
    flags: 16,
  },
  event: { time: 1, name: 2, attributes: 3, droppedAttributes: 4 },
  link: { trace: 1, id: 2, state: 3, attributes: 4, droppedAttributes: 5, flags: 6 },
  status: { message: 2, code: 3 },
  log: { time: 1, severityNumber: 2, severityText: 3, body: 5, attributes: 6, droppedAttributes: 7, flags: 8, trace: 9, span: 10, observed: 11, eventName: 12 },
  metric: { name: 1, description: 2, unit: 3, gauge: 5, sum: 7, histogram: 9, exponential: 10, summary: 11, metadata: 12 },
  data: { points: 1, temporality: 2, monotonic: 3 },
  number: { start: 2, time: 3, double: 4, exemplars: 5, int: 6, attributes: 7, flags: 8 },
  histogram: { start: 2, time: 3, count: 4, sum: 5, bucketCounts: 6, bounds: 7, exemplars: 8, attributes: 9, flags: 10, min: 11, max: 12 },
  /** What exponential histograms and summaries have in common; their attributes have a number each. */
  totals: { start: 2, time: 3, count: 4, sum: 5, attributesOfExponential: 1, attributesOfSummary: 7 },
  response: { partialSuccess: 1 },
  partialSuccess: { rejected: 1, message: 2 },
} as const

export const STATUS_ERROR = 2

export const lengthDelimited = (field: number) => (field << 3) | WIRE.bytes
export const varintField = (field: number) => (field << 3) | WIRE.varint
export const fixed64Field = (field: number) => (field << 3) | WIRE.fixed64
