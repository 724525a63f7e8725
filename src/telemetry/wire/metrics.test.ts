import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMetrics } from './metrics.ts'
import { ProtobufReader } from './protobuf-reader.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

const double = (value: number) => {
  const bytes = Buffer.alloc(9)
  bytes.writeDoubleLE(value, 1)
  return bytes
}
const fixed = (value: bigint) => {
  const bytes = Buffer.alloc(9)
  bytes.writeBigUInt64LE(value, 1)
  return bytes
}
const tagged = (field: number, bytes: Buffer) => {
  bytes[0] = (field << 3) | 1
  return bytes
}
const message = (field: number, ...parts: Uint8Array[]) => {
  const writer = new ProtobufWriter()
  writer.bytes(field, Buffer.concat(parts))
  return writer.finish()
}
const text = (field: number, value: string) => message(field, Buffer.from(value))

test('exponential histograms and summaries are read with their counts, sums and attributes', () => {
  const attribute = (field: number) => message(field, text(1, 'route'), message(2, text(1, '/cart')))
  const totals = [tagged(3, fixed(1_700_000_000_000_000_000n)), tagged(4, fixed(5n)), tagged(5, double(12.5))]
  const exponential = message(2, text(1, 'latency'), message(10, message(1, attribute(1), ...totals, tagged(7, fixed(2n))), Uint8Array.of(0x10, 1)))
  const summary = message(2, text(1, 'gc'), message(11, message(1, ...totals, message(6, tagged(1, double(0.5))), attribute(7))))
  const request = message(1, message(2, exponential, summary))
  const { points } = readMetrics(new ProtobufReader(request), request.length)
  assert.deepEqual(
    points.map((it) => it.kind === 'histogram' && [it.name, it.count, it.sum, it.atMs, { ...it.attributes }, it.cumulative]),
    [
      ['latency', 5, 12.5, 1_700_000_000_000, { route: '/cart' }, false],
      ['gc', 5, 12.5, 1_700_000_000_000, { route: '/cart' }, true],
    ],
  )
})
