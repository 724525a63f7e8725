import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callerOf, type HeadersIn, type HeadersOut, mergeBaggage, readCaller, writeHeaders } from './propagation.ts'
import { Scope } from './scope.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

const out = (headers: Record<string, string>): HeadersOut => ({ get: (name) => headers[name] ?? '', set: (name, value) => void (headers[name] = value) })
const read = (headers: HeadersIn) => {
  const scope = readCaller(headers)
  return scope === null ? null : [scope.traceId, scope.spanId, scope.sampled, scope.baggage]
}

test('traceparent is read by its recommendation: versions, flags, and what makes it invalid', () => {
  const cases: [string, unknown][] = [
    [`00-${TRACE}-${SPAN}-01`, [TRACE, SPAN, true, '']],
    [`00-${TRACE}-${SPAN}-00`, [TRACE, SPAN, false, '']],
    [`00-${TRACE}-${SPAN}-ff`, [TRACE, SPAN, true, '']],
    [`00-${TRACE}-${SPAN}-0a`, [TRACE, SPAN, false, '']],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, [TRACE, SPAN, true, '']],
    [`cc-${TRACE}-${SPAN}-01`, [TRACE, SPAN, true, '']],
    [`00-${TRACE}-${SPAN}-01-more`, null],
    [`cc-${TRACE}-${SPAN}-01.more`, null],
    [`ff-${TRACE}-${SPAN}-01`, null],
    [`00-${'0'.repeat(32)}-${SPAN}-01`, null],
    [`00-${TRACE}-${'0'.repeat(16)}-01`, null],
    [`00-${TRACE.toUpperCase()}-${SPAN}-01`, null],
    [`00-${TRACE}-${SPAN}-1`, null],
    [`00-${TRACE}-${SPAN}-01,00-${TRACE}-${SPAN}-01`, null],
    ['', null],
    ['0', null],
  ]
  for (const [traceparent, expected] of cases) assert.deepEqual(read({ traceparent }), expected, traceparent)
})

test('B3 is read where traceparent is not there or not valid', () => {
  assert.deepEqual(read({ b3: `${TRACE}-${SPAN}-1-05e3ac9a4f6e3b90` }), [TRACE, SPAN, true, ''])
  assert.deepEqual(read({ b3: `${TRACE.slice(16)}-${SPAN}-0`, traceparent: 'broken' }), [`${'0'.repeat(16)}${TRACE.slice(16)}`, SPAN, false, ''])
  assert.deepEqual(read({ b3: `${TRACE}-${SPAN}-d` }), [TRACE, SPAN, true, ''])
  assert.equal(read({ b3: '0' }), null)
  assert.deepEqual(read({ 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN, 'x-b3-sampled': '0' }), [TRACE, SPAN, false, ''])
  assert.equal(read({ 'x-b3-traceid': TRACE, 'x-b3-spanid': 'short' }), null)
  assert.deepEqual(read({ traceparent: `00-${TRACE}-${SPAN}-00`, b3: `${'a'.repeat(32)}-${SPAN}-1` }), [TRACE, SPAN, false, ''])
})

test('baggage alone is carried, in no trace', () => {
  assert.deepEqual(read({ baggage: 'weir-track=canary' }), ['', '', false, 'weir-track=canary'])
  const headers: Record<string, string> = {}
  writeHeaders(readCaller({ baggage: 'weir-track=canary' }) as Scope, out(headers))
  assert.deepEqual(headers, { baggage: 'weir-track=canary' })
})

test('members of baggage that the app sets itself are its own; of too many none is added', () => {
  assert.equal(mergeBaggage('cart=7', 'weir-track=canary,cart=1'), 'cart=7,weir-track=canary')
  assert.equal(mergeBaggage('cart=7', 'cart=7'), 'cart=7')
  assert.equal(mergeBaggage('a=1;meta', ' b=2;meta=x , ,a=2'), 'a=1;meta,b=2;meta=x')
  assert.equal(mergeBaggage('a=1', `b=${'x'.repeat(9000)}`), 'a=1')
})

test('what cannot stand in a header is not put into one', () => {
  const headers: Record<string, string> = {}
  writeHeaders(new Scope(TRACE, SPAN, true, 'a\r\nb', 'c\r\nd', null, null), out(headers))
  assert.deepEqual(Object.keys(headers), ['traceparent'])
})

test('an app that names another trace than the one at hand knows better', () => {
  const here = new Scope(TRACE, SPAN, true, '', 'b=1', null, null)
  assert.equal(callerOf(here, out({})), here)
  assert.equal(callerOf(here, out({ traceparent: `00-${TRACE}-${'b'.repeat(16)}-01` })), here)
  const other = callerOf(here, out({ traceparent: `00-${'a'.repeat(32)}-${SPAN}-01` }))
  assert.deepEqual([other?.traceId, other?.baggage], ['a'.repeat(32), 'b=1'])
  assert.equal(callerOf(undefined, out({ traceparent: `00-${TRACE}-${SPAN}-01` }))?.traceId, TRACE)
})
