import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Exporter } from './exporter.ts'
import { newSpanId, newTraceId } from './ids.ts'
import { readSettings } from './settings.ts'
import { type AttributeValue, KIND, Span } from './span.ts'
import { startReceiver } from './testing/receiver.ts'

const spanNamed = (name: string) => new Span({ now: () => Date.now(), ended: () => {} }, newTraceId(), newSpanId(), '', '', KIND.server, name)

test('a span that cannot be written is counted as dropped, and those beside it are sent whole', async () => {
  const receiver = await startReceiver()
  try {
    const { exporter: settings } = readSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: 'songs' })
    assert.ok(settings)
    const exporter = new Exporter({ ...settings, version: '1', untraced: (work) => work(), log: () => {}, onFlush: () => {} })
    const endless: AttributeValue[] = []
    endless.push(endless as never)
    const odd = spanNamed('odd')
    odd.put('endless', endless as never)
    const many = Array.from({ length: 200 }, (_, n) => spanNamed(`span ${n}`))
    for (const span of [...many.slice(0, 10), odd, ...many.slice(10)]) exporter.add(span)
    await exporter.flush()
    const seen = await receiver.until((spans) => spans.length >= many.length)
    assert.deepEqual(seen.map(({ name }) => name).sort(), many.map(({ name }) => name).sort())
    assert.equal(exporter.dropped, 1)
    assert.equal(receiver.batches[0]?.resource['weir.dropped_spans'], 1)
  } finally {
    await receiver.stop()
  }
})
