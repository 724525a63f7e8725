import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LEVEL, levelOf } from './log-record.ts'
import { readLine } from './read-line.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'

test('the level is recognised in what common loggers write', () => {
  const lines: readonly (readonly [string, keyof typeof LEVEL])[] = [
    ['{"level":30,"time":1,"msg":"ready"}', 'info'],
    ['{"level":50,"msg":"no"}', 'error'],
    ['{"level":"warn","message":"slow"}', 'warn'],
    ['{"severity":"CRITICAL","message":"x"}', 'fatal'],
    ['{"levelname":"DEBUG","event":"x"}', 'debug'],
    ['{"level":"30","msg":"x"}', 'info'],
    ['2026-11-22 10:00:00,123 ERROR [main] com.example.Shop - failed', 'error'],
    ['[warn] low on memory', 'warn'],
    ['2026/11/22 10:00:00 [error] 7#7: connect() failed', 'error'],
    ['time=2026 level=debug msg="x"', 'debug'],
    ['INFO:     Uvicorn running', 'info'],
    ['error: out of cheese', 'error'],
    ['Traceback (most recent call last):', 'error'],
    ['TypeError: x is not a function', 'error'],
    ['GET /error 200', 'unknown'],
    ['an information desk', 'unknown'],
    ['{"not":"a log"}', 'unknown'],
  ]
  for (const [line, level] of lines) assert.equal(readLine(line).severity, LEVEL[level], line)
})

test('a structured line gives its message, its trace and the rest as attributes', () => {
  const line = `{"level":40,"msg":"slow","trace_id":"${TRACE.toUpperCase()}","span_id":"b7ad6b7169203331","user":7}`
  assert.deepEqual(readLine(line), { severity: LEVEL.warn, trace: TRACE, span: 'b7ad6b7169203331', text: 'slow', attributes: JSON.parse(line) })
})

test('a trace id is found in text, and nothing is taken for one that is none', () => {
  assert.equal(readLine(`ERROR no route trace_id=${TRACE} span_id=b7ad6b7169203331`).trace, TRACE)
  assert.equal(readLine(`ERROR no route traceId: "${TRACE}"`).trace, TRACE)
  assert.equal(readLine(`{"msg":"x","trace_id":"${'0'.repeat(32)}"}`).trace, '')
  assert.equal(readLine('{"msg":"x","trace_id":"zz"}').trace, '')
  assert.equal(readLine(`commit ${TRACE}`).trace, '')
})

test('whatever a process prints is read without an error', () => {
  const lines = fc.oneof(
    fc.string(),
    fc.json(),
    fc.object().map((it) => JSON.stringify({ level: it, msg: it, trace_id: it })),
  )
  fc.assert(
    fc.property(lines, (line) => {
      const { severity, text } = readLine(line)
      assert.ok((Object.values(LEVEL) as number[]).includes(severity))
      assert.equal(typeof text, 'string')
    }),
  )
})

test('a severity of OTLP becomes the level it belongs to', () => {
  assert.deepEqual([0, 1, 4, 5, 9, 12, 17, 20, 21, 24, 99, -1, Number.NaN].map(levelOf), [0, 1, 1, 5, 9, 9, 17, 17, 21, 21, 21, 0, 0])
})
