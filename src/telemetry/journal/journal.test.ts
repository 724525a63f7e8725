import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Journal } from './journal.ts'
import { leftIn } from './left-journal.ts'

const root = mkdtempSync(join(tmpdir(), 'weir-journal-'))
after(() => rmSync(root, { recursive: true, force: true }))
const bytes = (text: string) => Buffer.from(text)
let folders = 0

function fresh() {
  const folder = join(root, String(++folders))
  const [clock, said] = [{ nowMs: 1_000_000 }, [] as string[]]
  const journal = new Journal({ folder, name: 'aa', now: () => clock.nowMs, log: (line) => said.push(line) })
  const left = (counted = 0, drawn = 0) => leftIn(folder, 'bb', new Map([['aa', { counted, drawn }]]))
  const requests = () => [...left().requests()].map(({ sender, request }) => `${sender} ${request}`)
  return { folder, clock, said, journal, left, requests }
}

test('requests come back with their senders, up to where the writer was killed', () => {
  const { folder, journal, requests, left } = fresh()
  journal.request(12, bytes('first'))
  journal.request('trusted', bytes('second'))
  journal.know([{ id: 'e1', tenant: 't', app: 'shop', environment: 'production' }])
  appendFileSync(join(folder, 'aa-1.journal'), Buffer.from([1, 2, 0, 0, 0, 9, 9, 0, 0, 49, 50, 0]))
  assert.deepEqual(requests(), ['12 first', 'trusted second'])
  assert.equal(left().environments[0]?.app, 'shop')
  left().forget()
  assert.deepEqual(readdirSync(folder), [])
})

test('a mark parts the traces that are counted from those that are only closed', () => {
  const { journal, left } = fresh()
  const words = Uint32Array.from([1, 2, 3, 4, 5, 6, 7, 8])
  journal.closed(12, words, 0)
  assert.equal(journal.mark(), 1)
  journal.closed(12, words, 4)
  assert.equal(journal.mark(), 2)
  assert.deepEqual([left(1, 2).counted.size, left(1, 2).drawn.size, left().counted.size], [1, 2, 0])
  journal.before('counted', Buffer.from([...left(1).counted].join(''), 'latin1'))
  assert.deepEqual(left().counted, left(1).counted)
})

test('two files take turns, so that old requests go and recent ones stay', () => {
  const { folder, clock, journal, requests } = fresh()
  for (const text of ['old', 'recent', 'new']) {
    journal.request(1, bytes(text))
    clock.nowMs += 5_000
  }
  assert.deepEqual(requests(), ['1 recent', '1 new'])
  assert.equal(readdirSync(folder).length, 2)
})

test('what a file has no room for is left out, and said once', () => {
  const { clock, journal, requests, said } = fresh()
  const large = new Uint8Array(97 * 2 ** 20)
  for (let n = 0; n < 2; n++) journal.request(1, large)
  clock.nowMs += 5_000
  journal.request(1, bytes('small'))
  assert.deepEqual(requests(), ['1 small'])
  assert.equal(said.length, 1)
  assert.equal(journal.skipped, 2)
})

test('without a folder that can be written there is no journal, which is said once', () => {
  const { folder, journal, said, requests } = fresh()
  writeFileSync(folder, 'a file')
  for (let n = 0; n < 3; n++) journal.request(1, bytes('lost'))
  journal.closed(1, new Uint32Array(4), 0)
  assert.equal(journal.mark(), 1)
  assert.equal(said.length, 1)
  assert.deepEqual(requests(), [])
})
