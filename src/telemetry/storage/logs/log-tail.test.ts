import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startTestPostgres, type TestPostgres } from '../../../store/testing.ts'
import { EPOCH_MS } from '../../window/testing.ts'
import { testStorage } from '../testing.ts'
import type { LogEntry } from './log-record.ts'
import { LogTail } from './log-tail.ts'

let postgres: TestPostgres
let home = ''
before(async () => {
  home = mkdtempSync('/tmp/weir-tail-')
  postgres = await startTestPostgres()
})
after(async () => {
  await postgres.stop()
  rmSync(home, { recursive: true })
})

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const ALL = { fromMs: EPOCH_MS - 3_600_000, toMs: EPOCH_MS + 3_600_000, words: [], service: null, release: null, instance: null, severity: null, trace: null }
const PAGE = { limit: 100, cursor: null }

async function tailed(name: string) {
  const folder = join(home, name)
  mkdirSync(join(folder, 'e12'), { recursive: true })
  const storage = await testStorage(postgres)
  const file = join(folder, 'e12/e12-web-v3-7.jsonl')
  const print = (text: string, { stream = 'out', time = EPOCH_MS } = {}) => appendFileSync(file, `${JSON.stringify({ time, stream, text })}\n`)
  const tailOf = (sink = storage.store) => new LogTail({ folder, sink, now: () => storage.clock.nowMs })
  const texts = async () => (await storage.queries.logs('e12', ALL, PAGE)).items.map((it) => it.text).reverse()
  return { ...storage, folder, file, print, tailOf, texts }
}

test('what a replica prints is found by its service, release, level, words and trace', async () => {
  const { store, queries, print, tailOf } = await tailed('found')
  print('listening on 8080')
  print(`{"level":50,"msg":"Payment FAILED","trace_id":"${TRACE}","order":7}`)
  print('killed after 10 s', { stream: 'weir' })
  await tailOf().look()
  await store.flush()
  const [killed, failed, listening] = (await queries.logs('e12', ALL, PAGE)).items
  assert.deepEqual(
    { ...failed, attributes: failed?.attributes?.['order'] },
    { atMs: EPOCH_MS, service: 'web', release: 'v3', instance: 'e12-web-v3-7', severity: 17, trace: TRACE, span: null, text: 'Payment FAILED', attributes: 7 },
  )
  assert.deepEqual([killed?.severity, listening?.severity], [13, 0])
  const texts = async (filter: Partial<typeof ALL> | object) => (await queries.logs('e12', { ...ALL, ...filter }, PAGE)).items.map((it) => it.text)
  assert.deepEqual(await texts({ words: ['payment', 'fail'] }), ['Payment FAILED'])
  assert.deepEqual(await texts({ words: ['%'] }), [])
  assert.deepEqual(await texts({ severity: 17 }), ['Payment FAILED'])
  assert.deepEqual(await texts({ trace: TRACE }), ['Payment FAILED'])
  assert.deepEqual(await texts({ service: 'shop' }), [])
  assert.equal((await texts({ release: 'v3', instance: 'e12-web-v3-7' })).length, 3)
  await store.close()
})

test('lines are read once over rotations and restarts, and half a line when it is whole', async () => {
  const { store, make, clock, file, print, tailOf, texts } = await tailed('once')
  print('one')
  const first = tailOf()
  await first.look()
  await store.flush()
  print('two')
  appendFileSync(file, '{"time":1')
  await first.look()
  renameSync(file, `${file}.1`)
  print('four')
  await store.flush()
  assert.deepEqual(await texts(), ['one', 'two'])
  await first.stop()
  await store.close()

  appendFileSync(`${file}.1`, `767225600000,"stream":"out","text":"three"}\n`)
  clock.nowMs++
  const again = make()
  const second = tailOf(again)
  await second.look()
  await again.flush()
  await second.look()
  await again.flush()
  assert.deepEqual(await texts(), ['one', 'two', 'three', 'four'])
  assert.equal(second.missed, 0)

  renameSync(`${file}.1`, `${file}.2`)
  renameSync(file, `${file}.1`)
  rmSync(`${file}.1`)
  rmSync(`${file}.2`)
  print('six')
  await second.look()
  await again.flush()
  assert.deepEqual((await texts()).at(-1), 'six')
  assert.equal(second.missed, 1, 'a file was gone before it was read to its end')
  await again.close()
})

test('a line of before telemetry was there is left alone, and so are files of nobody', async () => {
  const { store, folder, print, tailOf, texts } = await tailed('old')
  print('old', { time: EPOCH_MS - 6 * 3_600_000 })
  print('new')
  mkdirSync(join(folder, 'weir'))
  appendFileSync(join(folder, 'weir/server.jsonl'), `${JSON.stringify({ time: EPOCH_MS, stream: 'out', text: "the server's" })}\n`)
  appendFileSync(join(folder, 'e12/notes.txt'), 'x')
  await tailOf().look()
  await store.flush()
  assert.deepEqual(await texts(), ['new'])
  await store.close()
})

test('a search goes back in time until it has found enough, and on from there', async () => {
  const { store, queries, clock } = await tailed('search')
  const line = (text: string, atMs: number) => ({ atMs, service: 'web', release: '', instance: '', severity: 0, trace: '', span: '', text, attributes: null })
  for (let hour = 0; hour < 5; hour++) store.logs(12, [line(`Needle ${hour}`, clock.nowMs - hour * 3_500_000), line('hay', clock.nowMs - hour * 3_500_000)])
  await store.flush()
  const found: string[] = []
  for (let cursor: string | null = null; ; ) {
    const page = await queries.logs('e12', { ...ALL, fromMs: EPOCH_MS - 86_400_000, words: ['needle'] }, { limit: 2, cursor })
    found.push(...page.items.map(({ text }) => text))
    if ((cursor = page.cursor) === null) break
  }
  assert.deepEqual(found, ['Needle 0', 'Needle 1', 'Needle 2', 'Needle 3', 'Needle 4'])
  await store.close()
})

test('an environment that prints without end leaves the others, and its own other replicas, their turn in every look', async () => {
  const folder = join(home, 'fair')
  const taken = new Map<string, number>()
  const sink = {
    hasRoomForLogs: true,
    logs: (_: number, entries: readonly LogEntry[]) => {
      for (const { instance } of entries) taken.set(instance ?? '', (taken.get(instance ?? '') ?? 0) + 1)
      return entries.length
    },
    with: () => {},
    read: async <T>() => new Map() as T,
  }
  const line = `${JSON.stringify({ time: EPOCH_MS, stream: 'out', text: 'x'.repeat(1000) })}\n`
  const printed = (environment: string, id: string, lines: number) => {
    mkdirSync(join(folder, environment), { recursive: true })
    appendFileSync(join(folder, environment, `${id}.jsonl`), line.repeat(lines))
  }
  printed('e1', 'e1-loud-v1-1', 6000)
  printed('e1', 'e1-web-v1-2', 3)
  for (let n = 2; n < 6; n++) printed(`e${n}`, `e${n}-web-v1-1`, 3)
  const tail = new LogTail({ folder, sink, now: () => EPOCH_MS })
  await tail.look()
  assert.deepEqual(
    ['e1-web-v1-2', 'e2-web-v1-1', 'e5-web-v1-1'].map((id) => taken.get(id)),
    [3, 3, 3],
  )
  const loud = taken.get('e1-loud-v1-1') ?? 0
  assert.ok(loud > 1500 && loud < 2500, `${loud}`)
  for (let look = 0; look < 4; look++) await tail.look()
  assert.equal(taken.get('e1-loud-v1-1'), 6000, 'what waited is read by the next looks, once')
})
