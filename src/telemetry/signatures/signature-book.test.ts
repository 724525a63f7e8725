import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OTHER, type SeenSignature, SignatureBook, type Teller } from './signature-book.ts'

const NOW = Date.UTC(2026, 10, 22, 10)
const MINUTE = 60_000
const seen = (more: Partial<SeenSignature> = {}): SeenSignature => ({
  scope: 12,
  service: 'web',
  release: 'v4',
  error: 'TypeError at cart (cart.js)',
  place: 'GET /cart 500',
  teller: 'spans',
  ...more,
})
const lines = (book: SignatureBook, sinceMs = NOW - MINUTE, now = NOW) =>
  book.since(12, sinceMs, now).map(({ release, signature, count, before }) => `${release} ${signature}: ${count} (${before})`)

test('what was there before the rollout is told apart from what came with it, by release', () => {
  const book = new SignatureBook()
  for (let n = 0; n < 9; n++) book.add(seen({ release: 'v3' }), NOW - 10 * MINUTE, 'aa')
  book.add(seen({ release: 'v3' }), NOW - 10_000, 'bb')
  for (let n = 0; n < 4; n++) book.add(seen({ error: 'RangeError at pay (pay.js)' }), NOW - 20_000, 'cc')
  assert.deepEqual(lines(book), ['v4 RangeError at pay (pay.js) · GET /cart 500: 4 (0)', 'v3 TypeError at cart (cart.js) · GET /cart 500: 1 (9)'])
  assert.deepEqual(
    book.since(12, NOW - MINUTE, NOW).map(({ firstSeen, lastSeen, trace }) => [NOW - firstSeen, NOW - lastSeen, trace]),
    [
      [20_000, 20_000, 'cc'],
      [10 * MINUTE, 10_000, 'bb'],
    ],
  )
  assert.deepEqual(book.since(13, 0, NOW), [], 'another environment knows nothing of it')
})

test('an error that spans, logs and output tell of counts once, and what only one of them tells of counts too', () => {
  const counts = (told: Partial<Record<Teller, number>>) => {
    const book = new SignatureBook()
    for (const [teller, count] of Object.entries(told) as [Teller, number][])
      for (let n = 0; n < count; n++) book.add(seen({ teller, place: teller === 'spans' ? 'GET /cart 500' : '' }), NOW, '')
    return lines(book).map((line) => line.replace('v4 TypeError at cart (cart.js)', ''))
  }
  assert.deepEqual(counts({ spans: 3, logs: 3, output: 3 }), [' · GET /cart 500: 3 (0)'])
  assert.deepEqual(counts({ logs: 2, output: 3 }), [': 3 (0)'])
  assert.deepEqual(counts({ spans: 3, output: 5 }), [' · GET /cart 500: 3 (0)', ': 2 (0)'])
})

test('over hours the buckets get wider, nothing is counted twice or lost, and after a day and a half it is forgotten', () => {
  const book = new SignatureBook()
  for (let minute = 0; minute < 180; minute++) book.add(seen(), NOW + minute * MINUTE, '')
  const later = NOW + 180 * MINUTE
  const [line] = book.since(12, NOW + 120 * MINUTE, later)
  assert.deepEqual([line?.count, line?.before], [60, 120])
  const [past] = book.since(12, NOW + 60 * MINUTE, later)
  assert.deepEqual([past?.count, past?.before], [120, 60])
  const border = book.since(12, NOW + 62 * MINUTE, later)[0]
  assert.equal((border?.count ?? 0) + (border?.before ?? 0), 180, 'a border within five minutes moves, and loses nothing')
  book.tend(later + 36 * 60 * MINUTE)
  assert.equal(book.size, 0)
})

test('a release with more kinds of errors than there is room for gets them counted as other, and leaves its neighbours theirs', () => {
  const book = new SignatureBook({ ofRelease: 5, ofScope: 12, total: 30 })
  book.add(seen({ release: 'v3', error: 'old' }), NOW, '')
  for (let n = 0; n < 100; n++) book.add(seen({ error: `rolling ${n}`, place: '' }), NOW, '')
  assert.equal(book.other, 95)
  assert.deepEqual(lines(book).slice(0, 2), [`v4 ${OTHER}: 95 (0)`, 'v3 old · GET /cart 500: 1 (0)'])
  for (let scope = 20; scope < 40; scope++) for (let n = 0; n < 20; n++) book.add(seen({ scope, release: `v${n}`, error: `e${n}` }), NOW, '')
  assert.ok(book.size <= 30 + 20 * 25, String(book.size))
  assert.deepEqual(lines(book).slice(0, 2), [`v4 ${OTHER}: 95 (0)`, 'v3 old · GET /cart 500: 1 (0)'])
})

test('where there is no room, what was not seen for an hour makes it, in its own environment', () => {
  const book = new SignatureBook({ ofRelease: 3, ofScope: 10, total: 100 })
  for (const error of ['a', 'b', 'c']) book.add(seen({ error, place: '' }), NOW, '')
  book.add(seen({ error: 'd', place: '' }), NOW + 2 * 60 * MINUTE, '')
  assert.deepEqual(lines(book, NOW - MINUTE, NOW + 2 * 60 * MINUTE), ['v4 b: 1 (0)', 'v4 c: 1 (0)', 'v4 d: 1 (0)'])
  assert.equal(book.other, 0)
})

test('many made-up releases do not make it grow without end', () => {
  const book = new SignatureBook({ ofRelease: 5, ofScope: 20, total: 100 })
  for (let n = 0; n < 5000; n++) book.add(seen({ release: `v${n}`, service: `s${n}` }), NOW, '')
  assert.ok(book.size <= 41, String(book.size))
})

test('what is taken to be written is what was counted since, and a process that reads it goes on with it', () => {
  const book = new SignatureBook()
  book.add(seen(), NOW, 'aa')
  book.add(seen(), NOW + 1, 'bb')
  const [row, ...more] = book.take()
  assert.deepEqual([row?.count, row?.atMs, row?.lastMs, row?.trace, more.length], [2, NOW, NOW + 1, 'bb', 0])
  assert.deepEqual(book.take(), [])
  book.add(seen(), NOW + 2, '')
  const next = new SignatureBook()
  for (const it of [row, ...book.take()]) if (it) next.restore(it)
  assert.deepEqual(lines(next, NOW - MINUTE, NOW + 1000), ['v4 TypeError at cart (cart.js) · GET /cart 500: 3 (0)'])
  assert.deepEqual(next.take(), [], 'it is written already')
})

test('of an error’s clients those that come first in order are known, each once', () => {
  const book = new SignatureBook()
  const clients = Array.from({ length: 100 }, (_, n) => ((n * 37) % 100).toString(16).padStart(16, '0'))
  for (const client of [...clients, ...clients, '']) book.add(seen(), NOW, '', client)
  const [line] = book.since(12, NOW - MINUTE, NOW)
  assert.deepEqual([line?.count, line?.clients], [201, [...clients].sort().slice(0, 64)])
})
