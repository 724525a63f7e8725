import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { Labels } from './labels.ts'
import { NameTable } from './name-table.ts'
import { Resources } from './resources.ts'
import { requestOf, spanId, testWindow, traceId } from './testing.ts'

function resources(max: number, windowSpans = 64) {
  const names = new NameTable()
  const all = new Resources(names, new Labels(names), { max, windowSpans })
  const of = (scope: number, service: string, oldestSpan = 0, more = '') => {
    const bytes = resourceOf({ 'service.name': service, more })
    return all.of(scope, bytes, 0, bytes.length, oldestSpan)
  }
  return { all, of, names }
}

function resourceOf(attributes: Readonly<Record<string, string>>): Uint8Array {
  const writer = new ProtobufWriter()
  for (const [key, value] of Object.entries(attributes))
    writer.message(1, () => {
      writer.text(1, key)
      writer.message(2, () => writer.text(1, value))
    })
  return writer.finish()
}

test('an environment with a new resource each time has a quarter of the room; another one finds its own kept', () => {
  const { all, of, names } = resources(64)
  for (let n = 0; n < 500; n++) of(1, `web-${n}`).lastSpan = n
  assert.equal(all.size, 16)
  const other = of(2, 'api')
  assert.deepEqual([names.text(other.service), all.at(other.index)], ['api', other])
  assert.equal(of(1, 'web-499').bytes, null, 'it is known of its spans, and not kept')
})

test('one that made no span, or none that is still there, makes room', () => {
  const { all, of } = resources(64)
  for (let n = 0; n < 16; n++) of(1, `silent-${n}`)
  const spoke = of(1, 'spoke')
  spoke.lastSpan = 100
  assert.equal(all.at(spoke.index), spoke)
  for (let n = 0; n < 15; n++) of(1, `other-${n}`, 50).lastSpan = 60
  assert.equal(all.at(spoke.index), spoke)
  of(1, 'next', 90)
  assert.deepEqual([all.at(spoke.index), all.size], [spoke, 2], 'what was written until 60 is gone')
})

test('all that are kept are bounded in bytes', () => {
  const { all, of } = resources(16_384)
  const large = 'x'.repeat(16_000)
  for (let scope = 1; scope <= 8; scope++) for (let n = 0; n < 1000; n++) of(scope, `web-${n}`, 0, large).lastSpan = 1
  assert.ok(all.size * large.length <= 32 * 2 ** 20, `${all.size} are kept`)
})

test('thirty thousand resources cost their bytes and no walk over all of them each', () => {
  const { window } = testWindow({ maxSpans: 2 ** 18 })
  const begin = performance.now()
  for (let n = 0; n < 30_000; n++)
    window.accept(7, requestOf([{ trace: traceId(n + 1), id: spanId(n + 1), kind: 'server' }], { 'service.instance.id': `web-${n}` }))
  assert.ok(performance.now() - begin < 20_000, 'it took minutes')
  assert.equal(window.health().spans, 30_000)
})
