import assert from 'node:assert/strict'
import { test } from 'node:test'
import { b3Of, gatewaySpanId, isGatewaySpanId, NO_TRACE, readContext, traceparentOf, withThreshold } from './trace-context.ts'

const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
const span = '00f067aa0ba902b7'

test('the context is read from traceparent, or from B3 in one header or in several', () => {
  const expected = { trace, span, sampled: true }
  assert.deepEqual(readContext({ ...NO_TRACE, traceparent: `00-${trace}-${span}-01` }), expected)
  assert.deepEqual(readContext({ ...NO_TRACE, traceparent: `01-${trace}-${span}-03-more` }), expected)
  assert.deepEqual(readContext({ ...NO_TRACE, b3: `${trace}-${span}-1-05e3ac9a4f6e3b90` }), expected)
  assert.deepEqual(readContext({ ...NO_TRACE, b3: `${trace}-${span}` }), expected)
  assert.deepEqual(readContext({ ...NO_TRACE, b3Trace: trace.toUpperCase(), b3Span: span, b3Sampled: '1' }), expected)
  assert.deepEqual(readContext({ ...NO_TRACE, b3Trace: 'a3ce929d0e0e4736', b3Span: span }), { ...expected, trace: `${'0'.repeat(16)}a3ce929d0e0e4736` })
})

test('what was not sampled stays so', () => {
  assert.equal(readContext({ ...NO_TRACE, traceparent: `00-${trace}-${span}-00` })?.sampled, false)
  assert.equal(readContext({ ...NO_TRACE, b3: `${trace}-${span}-0` })?.sampled, false)
  assert.equal(readContext({ ...NO_TRACE, b3Trace: trace, b3Span: span, b3Sampled: '0' })?.sampled, false)
})

test('what is no context is none', () => {
  for (const traceparent of [
    '',
    `00-${trace}-${span}`,
    `ff-${trace}-${span}-01`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace}-${span}-01x`,
  ])
    assert.equal(readContext({ ...NO_TRACE, traceparent }), null, traceparent)
  assert.equal(readContext({ ...NO_TRACE, b3: '0' }), null)
  assert.equal(readContext({ ...NO_TRACE, b3Trace: trace }), null)
})

test('a context is written as it is read', () => {
  const context = { trace, span, sampled: false }
  assert.deepEqual(readContext({ ...NO_TRACE, traceparent: traceparentOf(context) }), context)
  assert.deepEqual(readContext({ ...NO_TRACE, b3: b3Of(context) }), context)
})

test('the threshold takes the place of another, and leaves other members alone', () => {
  assert.equal(withThreshold('vendor=1,ot=th:8;rv:abc', 'c'), 'ot=th:c,vendor=1')
  assert.equal(withThreshold(' ot=th:8 , a=b', null), ' a=b')
  assert.equal(withThreshold('ot=th:8', null), null)
  assert.equal(withThreshold(null, 'fd7'), 'ot=th:fd7')
})

test("the gateway knows its own ids again, and takes hardly another's for one", () => {
  for (let n = 0; n < 100; n++) {
    const id = gatewaySpanId()
    assert.match(id, /^[0-9a-f]{16}$/)
    assert.ok(isGatewaySpanId(id))
  }
  let taken = 0
  for (let n = 0; n < 10_000; n++) if (isGatewaySpanId(n.toString(16).padStart(16, '7'))) taken++
  assert.ok(taken < 10, `${taken}`)
})
