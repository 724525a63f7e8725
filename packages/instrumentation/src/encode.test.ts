import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeLibrary, encodeRequest, encodeSpan } from './encode.ts'
import { newSpanId, newTraceId } from './ids.ts'
import { ProtobufWriter } from './protobuf.ts'
import { readSettings } from './settings.ts'
import { type AttributeValue, KIND, Span } from './span.ts'
import { decodeRequest } from './testing/receiver.ts'

const value: fc.Arbitrary<AttributeValue> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true }).filter((it) => !Object.is(it, -0)),
  fc.array(fc.string({ maxLength: 10 }), { minLength: 1, maxLength: 3 }),
)

test('any spans are read by another decoder as they were', () => {
  const spans = fc.array(
    fc.record({
      name: fc.string({ unit: 'binary' }),
      startMs: fc.double({ min: 1e12, max: 2e12, noNaN: true }),
      lastsMs: fc.nat(1e6),
      pairs: fc.dictionary(fc.stringMatching(/^[a-z.]{1,20}$/), value),
    }),
    {
      minLength: 1,
      maxLength: 20,
    },
  )
  fc.assert(
    fc.property(spans, (all) => {
      const writer = new ProtobufWriter(64)
      const library = encodeLibrary(writer, 'weir', '1')
      const made = all.map(({ name, startMs, lastsMs, pairs }) => {
        const span = new Span({ now: () => startMs, ended: () => {} }, newTraceId(), newSpanId(), newSpanId(), 'a=1', KIND.client, name)
        for (const [key, it] of Object.entries(pairs)) span.put(key, it)
        span.endMs = startMs + lastsMs
        encodeSpan(writer, span)
        return span
      })
      const [batch] = decodeRequest(encodeRequest(writer, library, ['service.name', 'songs']))
      assert.deepEqual([batch?.resource, batch?.library, writer.length], [{ 'service.name': 'songs' }, 'weir', 0])
      const seen = [...(batch?.spans ?? [])].reverse() // the last that ended stands first
      assert.deepEqual(
        seen.map(({ traceId, spanId, parentId, name, kind, tracestate, attributes }) => ({
          traceId,
          spanId,
          parentId,
          name: name.toWellFormed(),
          kind,
          tracestate,
          attributes,
        })),
        made.map((span, index) => ({
          traceId: span.traceId,
          spanId: span.spanId,
          parentId: span.parentId,
          name: span.name.toWellFormed(),
          kind: 'client',
          tracestate: 'a=1',
          attributes: { ...all[index]?.pairs },
        })),
      )
      for (const [index, { startMs, durationMs }] of seen.entries()) {
        assert.ok(Math.abs(startMs - (all[index]?.startMs ?? 0)) < 0.002)
        assert.ok(Math.abs(durationMs - (all[index]?.lastsMs ?? 0)) < 0.002)
      }
    }),
  )
})

test('settings are read by OpenTelemetry’s names; without an endpoint, and when switched off, nothing is recorded', () => {
  const { exporter } = readSettings({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otel.example/base/',
    OTEL_EXPORTER_OTLP_HEADERS: 'a=b%20c, X-D = e,broken',
    OTEL_SERVICE_NAME: 's',
    OTEL_RESOURCE_ATTRIBUTES: 'service.name=other,k=v%2Cw',
  })
  assert.deepEqual(
    [exporter?.url.href, exporter?.headers, exporter?.gzip, exporter?.delayMs, exporter?.timeoutMs],
    ['https://otel.example/base/v1/traces', { a: 'b c', 'x-d': 'e' }, true, 500, 10_000],
  )
  const resource = exporter?.resource ?? []
  assert.deepEqual([resource[resource.indexOf('service.name') + 1], resource[resource.indexOf('k') + 1]], ['s', 'v,w'])
  for (const env of [
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'no url' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_SDK_DISABLED: 'TRUE' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_TRACES_EXPORTER: 'none' },
  ])
    assert.equal(readSettings(env).exporter, null)
})

test('a share of traces is taken by their ids, and a parent decides for its children', () => {
  const { sample } = readSettings({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' })
  const taken = Array.from({ length: 20_000 }, () => sample(undefined, newTraceId())).filter(Boolean).length
  assert.ok(taken > 1800 && taken < 2200, `${taken} of 20,000`)
  assert.equal(readSettings({ OTEL_TRACES_SAMPLER: 'always_off' }).sample(undefined, newTraceId()), false)
  assert.equal(readSettings({ OTEL_TRACES_SAMPLER: 'nonsense' }).sample(undefined, newTraceId()), true)
})
