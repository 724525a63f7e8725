import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClosedTrace } from '../window/closed-trace.ts'
import { requestOf, spanId, testWindow, traceId } from '../window/testing.ts'
import { traceRow } from './trace-row.ts'

test('of a trace whose resources are larger than its spans the beginning is kept too', () => {
  const sizes: number[] = []
  const onClosed = (closed: ClosedTrace) => sizes.push((traceRow(closed, window.names, 'rare', 0).at(-1) as Uint8Array).length)
  const { window, pass } = testWindow({ maxSpans: 4096, rawBytes: 2 ** 24, onClosed })
  const text = 'x'.repeat(16_000)
  for (let n = 1; n <= 450; n++)
    window.accept(7, requestOf([{ trace: traceId(1), id: spanId(n), kind: 'server' }], { 'service.instance.id': `web-${n}`, text }))
  pass(3000)
  const [size = 0] = sizes
  assert.ok(size > 4e6 && size < 4.3e6, `${size} bytes of ${450 * 16_000}`)
})
