import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { controlFrame, frame, frameSplitter } from './exec.ts'
import { eventsOf, type RawEvent } from './sse.ts'

async function* inPieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length] ?? 1
    yield bytes.subarray(at, at + size)
    at += size
  }
}

test('events are the same however the bytes are cut', async () => {
  const text = ': c\n\nid: 1\nevent: line\ndata: {"text":"grün €"}\n\ndata: a\r\ndata: b\r\n\r\nevent: empty\n\nid: 2\ndata: unfinished'
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), async (sizes) => {
      const events: RawEvent[] = []
      for await (const event of eventsOf(inPieces(Buffer.from(text), sizes))) events.push(event)
      assert.deepEqual(events, [
        { event: 'line', id: '1', data: '{"text":"grün €"}' },
        { event: 'message', id: '1', data: 'a\nb' },
      ])
    }),
  )
})

test('exec frames are the same however the bytes are cut', async () => {
  const bytes = Buffer.concat([frame('stdout', Buffer.from('hello')), frame('stdin', new Uint8Array()), controlFrame({ exit: 1 })])
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), async (sizes) => {
      const frames: [string, string][] = []
      const split = frameSplitter((channel, payload) => frames.push([channel, payload.toString()]))
      for await (const piece of inPieces(bytes, sizes)) split(Buffer.from(piece))
      assert.deepEqual(frames, [
        ['stdout', 'hello'],
        ['stdin', ''],
        ['control', '{"exit":1}'],
      ])
    }),
  )
})

test('a frame of an unknown channel or of any size is refused', () => {
  const split = () => frameSplitter(() => {})
  assert.throws(() => split()(Buffer.from([9, 0, 0, 0, 0])), /unknown channel/)
  assert.throws(() => split()(Buffer.from([1, 255, 255, 255, 255])), /over/)
})
