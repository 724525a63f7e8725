import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestOf, spanId, traceId } from '../window/testing.ts'
import { otlpFromMessage } from './message.ts'

const request = requestOf([{ trace: traceId(1), id: spanId(1), kind: 'server' }])

test('OTLP comes in protobuf or JSON, Zipkin in lists of JSON', () => {
  assert.deepEqual(otlpFromMessage('otlp_spans', Buffer.from(request)), Buffer.from(request))
  assert.equal(otlpFromMessage('otlp_spans', Buffer.from('{"resourceSpans":[]}')).length, 0)
  assert.ok(otlpFromMessage('zipkin', Buffer.from(`[{"traceId":"${traceId(1)}","id":"${spanId(1)}"}]`)).length > 20)
})

test('what is no list of spans is refused, whatever it is', () => {
  for (const value of ['', '{}', '[', '[1]', 'null', '\x0c\x00\x00', '[{}', '\ufeff[]'])
    assert.throws(() => otlpFromMessage('zipkin', Buffer.from(value)), /MalformedJson|expected|JSON/)
})
