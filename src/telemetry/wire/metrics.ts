import { AttributeReader, type Attributes, MAX_VALUES, type Room } from './attributes.ts'
import { FIELD, fixed64Field, lengthDelimited, varintField } from './otlp.ts'
import type { ProtobufReader } from './protobuf-reader.ts'
import { eachRecord, MAX_RECORDS, type Maker } from './records.ts'

const { metric: METRIC, data: DATA, number: NUMBER, histogram: HISTOGRAM, totals: TOTALS } = FIELD
const NS_PER_MS = 1e6
/** Buckets of a histogram. */
const MAX_BUCKETS = 1024

/** One point of a series. Of exponential histograms and summaries count and sum are read, as of a histogram without buckets. */
export type MetricPoint = {
  readonly maker: Maker
  readonly name: string
  readonly unit: string
  readonly attributes: Attributes
  /** Milliseconds since 1970. */
  readonly atMs: number
  /** Since when it counts; 0: not said. */
  readonly startMs: number
} & (
  | { readonly kind: 'gauge'; readonly value: number }
  | { readonly kind: 'sum'; readonly value: number; readonly cumulative: boolean; readonly monotonic: boolean }
  | {
      readonly kind: 'histogram'
      readonly cumulative: boolean
      readonly count: number
      readonly sum: number | null
      readonly min: number | null
      readonly max: number | null
      /** Upper bounds; `counts` has one more: what is above the last. */
      readonly bounds: readonly number[]
      readonly counts: readonly number[]
    }
)

const CUMULATIVE = 2

/** What was read of a request so far. */
interface Reading {
  readonly points: MetricPoint[]
  readonly room: Room
  tooMany: number
}

/**
 * Reads an ExportMetricsServiceRequest from `reader.at` to `end`; `tooMany` are points that would be over the limits of a request.
 *
 * @example readMetrics(new ProtobufReader(request), request.length).points[0].name // 'http.server.request.duration'
 * @throws MalformedProtobuf
 */
export function readMetrics(reader: ProtobufReader, end: number): { points: MetricPoint[]; tooMany: number } {
  const reading: Reading = { points: [], room: { left: MAX_VALUES }, tooMany: 0 }
  let maker: Maker
  eachRecord(
    reader,
    end,
    (its) => {
      maker = its
    },
    (itemEnd) => readMetric(reader, itemEnd, maker, reading),
  )
  return reading
}

interface Places {
  name: string
  unit: string
  kind: MetricPoint['kind'] | null
  /** Of a histogram without buckets: where the attributes of its points are. */
  totals: number | null
  from: number
  to: number
}

function readMetric(reader: ProtobufReader, end: number, maker: Maker, reading: Reading): void {
  const places: Places = { name: '', unit: '', kind: null, totals: null, from: 0, to: 0 }
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === lengthDelimited(METRIC.name)) places.name = reader.text(reader.length(end))
    else if (tag === lengthDelimited(METRIC.unit)) places.unit = reader.text(reader.length(end))
    else if (tag === lengthDelimited(METRIC.gauge)) place(reader, end, 'gauge', places)
    else if (tag === lengthDelimited(METRIC.sum)) place(reader, end, 'sum', places)
    else if (tag === lengthDelimited(METRIC.histogram)) place(reader, end, 'histogram', places)
    else if (tag === lengthDelimited(METRIC.exponential)) placeTotals(reader, end, TOTALS.attributesOfExponential, places)
    else if (tag === lengthDelimited(METRIC.summary)) placeTotals(reader, end, TOTALS.attributesOfSummary, places)
    else reader.skip(tag, end)
  }
  if (places.kind === null) return
  const { name, unit, kind } = places
  const { points, room } = reading
  const { cumulative, monotonic } = readTemporality(reader, places)
  const { totals } = places
  reader.at = places.from
  while (reader.at < places.to) {
    const tag = reader.tag(places.to)
    if (tag !== lengthDelimited(DATA.points)) {
      reader.skip(tag, places.to)
      continue
    }
    const pointEnd = reader.length(places.to)
    if (points.length >= MAX_RECORDS || room.left <= 0) {
      reading.tooMany++
      reader.at = pointEnd
    } else if (kind === 'histogram') {
      const point = totals === null ? readHistogram(reader, pointEnd, room) : readTotals(reader, pointEnd, room, totals)
      points.push({ ...point, maker, name, unit, kind, cumulative: cumulative || totals === TOTALS.attributesOfSummary })
    } else {
      const point = readNumber(reader, pointEnd, room)
      points.push(kind === 'gauge' ? { ...point, maker, name, unit, kind } : { ...point, maker, name, unit, kind, cumulative, monotonic })
    }
  }
}

function place(reader: ProtobufReader, end: number, kind: MetricPoint['kind'], places: Places): void {
  places.kind = kind
  places.to = reader.length(end)
  places.from = reader.at
  reader.at = places.to
}

function placeTotals(reader: ProtobufReader, end: number, attributes: number, places: Places): void {
  place(reader, end, 'histogram', places)
  places.totals = attributes
}

/** Stands behind the points as a rule. */
function readTemporality(reader: ProtobufReader, { from, to }: Places): { cumulative: boolean; monotonic: boolean } {
  let temporality = 0
  let monotonic = false
  reader.at = from
  while (reader.at < to) {
    const tag = reader.tag(to)
    if (tag === varintField(DATA.temporality)) temporality = reader.varint(to)
    else if (tag === varintField(DATA.monotonic)) monotonic = reader.varint(to) !== 0
    else reader.skip(tag, to)
  }
  return { cumulative: temporality === CUMULATIVE, monotonic }
}

function readNumber(reader: ProtobufReader, end: number, room: Room) {
  const attributes = new AttributeReader(room)
  let startNs = 0
  let atNs = 0
  let value = 0
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === fixed64Field(NUMBER.start)) startNs = reader.fixed64(end)
    else if (tag === fixed64Field(NUMBER.time)) atNs = reader.fixed64(end)
    else if (tag === fixed64Field(NUMBER.double)) value = reader.double(end)
    else if (tag === fixed64Field(NUMBER.int)) value = reader.sfixed64(end)
    else if (tag === lengthDelimited(NUMBER.attributes)) attributes.read(reader, reader.length(end))
    else reader.skip(tag, end)
  }
  return { attributes: attributes.all, startMs: startNs / NS_PER_MS, atMs: atNs / NS_PER_MS, value }
}

function readHistogram(reader: ProtobufReader, end: number, room: Room) {
  const attributes = new AttributeReader(room)
  const counts: number[] = []
  const bounds: number[] = []
  let startNs = 0
  let atNs = 0
  let count = 0
  let sum: number | null = null
  let min: number | null = null
  let max: number | null = null
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === fixed64Field(HISTOGRAM.start)) startNs = reader.fixed64(end)
    else if (tag === fixed64Field(HISTOGRAM.time)) atNs = reader.fixed64(end)
    else if (tag === fixed64Field(HISTOGRAM.count)) count = reader.fixed64(end)
    else if (tag === fixed64Field(HISTOGRAM.sum)) sum = reader.double(end)
    else if (tag === fixed64Field(HISTOGRAM.min)) min = reader.double(end)
    else if (tag === fixed64Field(HISTOGRAM.max)) max = reader.double(end)
    else if (tag === fixed64Field(HISTOGRAM.bucketCounts)) push(counts, reader.fixed64(end))
    else if (tag === fixed64Field(HISTOGRAM.bounds)) push(bounds, reader.double(end))
    else if (tag === lengthDelimited(HISTOGRAM.bucketCounts)) readPacked(reader, reader.length(end), (packEnd) => push(counts, reader.fixed64(packEnd)))
    else if (tag === lengthDelimited(HISTOGRAM.bounds)) readPacked(reader, reader.length(end), (packEnd) => push(bounds, reader.double(packEnd)))
    else if (tag === lengthDelimited(HISTOGRAM.attributes)) attributes.read(reader, reader.length(end))
    else reader.skip(tag, end)
  }
  return { attributes: attributes.all, startMs: startNs / NS_PER_MS, atMs: atNs / NS_PER_MS, count, sum, min, max, bounds, counts }
}

function readTotals(reader: ProtobufReader, end: number, room: Room, attributesField: number) {
  const attributes = new AttributeReader(room)
  let startNs = 0
  let atNs = 0
  let count = 0
  let sum: number | null = null
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === fixed64Field(TOTALS.start)) startNs = reader.fixed64(end)
    else if (tag === fixed64Field(TOTALS.time)) atNs = reader.fixed64(end)
    else if (tag === fixed64Field(TOTALS.count)) count = reader.fixed64(end)
    else if (tag === fixed64Field(TOTALS.sum)) sum = reader.double(end)
    else if (tag === lengthDelimited(attributesField)) attributes.read(reader, reader.length(end))
    else reader.skip(tag, end)
  }
  return { attributes: attributes.all, startMs: startNs / NS_PER_MS, atMs: atNs / NS_PER_MS, count, sum, min: null, max: null, bounds: [], counts: [] }
}

function readPacked(reader: ProtobufReader, end: number, read: (end: number) => void): void {
  while (reader.at < end) read(end)
}

function push(values: number[], value: number): void {
  if (values.length < MAX_BUCKETS) values.push(value)
}
