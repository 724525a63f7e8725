import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readLine } from '../storage/logs/read-line.ts'
import { logError } from './log-errors.ts'

const STACK = 'TypeError: no id 17\n    at cart (/srv/app/cart.js:4:2)'
const table: readonly [name: string, line: string, error: string][] = [
  ['pino', JSON.stringify({ level: 50, msg: 'failed', err: { type: 'TypeError', message: 'no id 17', stack: STACK } }), 'TypeError at cart (cart.js)'],
  ['winston', JSON.stringify({ level: 'error', message: 'no id 17', stack: STACK }), 'TypeError at cart (cart.js)'],
  [
    'logback',
    JSON.stringify({ level: 'ERROR', message: 'failed', stack_trace: 'a.b.Gone: 7\n\tat com.acme.Cart.load(Cart.java:8)' }),
    'a.b.Gone at com.acme.Cart.load',
  ],
  [
    'structlog',
    JSON.stringify({ level: 'error', event: 'failed', exception: 'Traceback (most recent call last):\n  File "/app/a.py", line 8, in a\nKeyError: 1' }),
    'KeyError at a (a.py)',
  ],
  ['zap', JSON.stringify({ level: 'error', msg: 'no route', error: 'dial tcp 10.0.0.7:80: connection refused' }), 'no route'],
  ['a message alone', JSON.stringify({ level: 'error', msg: 'order 17 lost' }), 'order # lost'],
  ['a warning', JSON.stringify({ level: 'warn', msg: 'error 17', err: { type: 'TypeError', message: 'x', stack: STACK } }), ''],
  ['no level', JSON.stringify({ msg: 'Error: x', stack: STACK }), ''],
]
for (const [name, line, error] of table) test(`what a logger’s record tells of: ${name}`, () => assert.equal(logError(readLine(line)), error))

test('an OTLP log record has it by OpenTelemetry’s names, else in its body', () => {
  assert.equal(logError({ severity: 17, text: 'x', attributes: { 'exception.type': 'E', 'exception.stacktrace': STACK } }), 'TypeError at cart (cart.js)')
  assert.equal(logError({ severity: 21, text: STACK, attributes: null }), 'TypeError at cart (cart.js)')
  assert.equal(logError({ severity: 13, text: STACK, attributes: null }), '')
  assert.equal(logError({ severity: 0, text: 'Error: x', attributes: null }), '')
})
