import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_ATTRIBUTES, MAX_VALUES } from './attributes.ts'
import { readLogs } from './logs.ts'
import { readMetrics } from './metrics.ts'
import { ProtobufReader } from './protobuf-reader.ts'
import { ProtobufWriter } from './protobuf-writer.ts'
import { MAX_RECORDS } from './records.ts'

/** An export request of one resource and one scope with `count` times this item. */
function requestOf(item: Uint8Array, count: number): ProtobufReader {
  const writer = new ProtobufWriter(count * (item.length + 8))
  writer.message(1, () =>
    writer.message(2, () => {
      for (let n = 0; n < count; n++) writer.bytesAlways(2, item)
    }),
  )
  return new ProtobufReader(writer.finish())
}

function message(write: (writer: ProtobufWriter) => void): Uint8Array {
  const writer = new ProtobufWriter()
  write(writer)
  return writer.finish()
}

test('a metric of a million empty points, 2 MB on the wire, becomes no million of objects, and the sender is told how many were too many', () => {
  const points = Buffer.alloc(2_000_000)
  for (let at = 0; at < points.length; at += 2) points[at] = 0x0a
  const reader = requestOf(
    message((writer) => writer.bytesAlways(5, points)),
    1,
  )
  const read = readMetrics(reader, reader.bytes.length)
  assert.deepEqual([read.points.length, read.tooMany], [MAX_RECORDS, 1_000_000 - MAX_RECORDS])
})

test('a log record of a million attributes is read in the time that its bytes take, and keeps the first of them', () => {
  const reader = requestOf(
    message((writer) => {
      for (let n = 0; n < 1_000_000; n++) writer.message(6, () => writer.text(1, `k${n}`))
    }),
    1,
  )
  const begin = performance.now()
  const [record] = readLogs(reader, reader.bytes.length).records
  assert.ok(performance.now() - begin < 5000, 'a walk over all that is there at each of them took thirty seconds')
  assert.equal(Object.keys(record?.attributes ?? {}).length, MAX_ATTRIBUTES)
})

test('records of one request share the room for values, those in lists too; what comes after it is rejected', () => {
  const list = message((writer) => writer.message(5, () => writer.message(5, () => [...Array(100)].forEach(() => writer.bytesAlways(1, new Uint8Array(0))))))
  const reader = requestOf(list, 10_000)
  const lists = readLogs(reader, reader.bytes.length)
  assert.deepEqual([lists.records.length, lists.tooMany], [MAX_VALUES / 100, 10_000 - MAX_VALUES / 100])

  const attributes = message((writer) => [...Array(50)].forEach((_, n) => writer.message(6, () => writer.text(1, `k${n}`))))
  const other = requestOf(attributes, 15_000)
  const plain = readLogs(other, other.bytes.length)
  assert.deepEqual([plain.records.length, plain.tooMany], [MAX_VALUES / 50, 15_000 - MAX_VALUES / 50])
})
