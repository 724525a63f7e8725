import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { FileLogs } from './logs.ts'
import { LineCutter } from './runner/lines.ts'
import { LogFile } from './runner/log-file.ts'
import { removeOldLogs } from './runner/old-logs.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-logs-'))
after(() => rmSync(folder, { recursive: true }))
const logs = new FileLogs(folder)

async function texts(environment: string, limit: number, ids: string[] | null = null): Promise<string[]> {
  const found: string[] = []
  for await (const { source, text } of logs.read(environment, { limit, ids })) found.push(`${source}:${text}`)
  return found
}

test('a log is rotated by size, and at most so many files are kept', async () => {
  const log = new LogFile(join(folder, 'e1/web.jsonl'), null, { fileBytes: 1000, rotated: 2 })
  for (let n = 0; n < 100; n++) log.write('out', `line ${n}`)
  log.close()
  assert.deepEqual(readdirSync(join(folder, 'e1')).sort(), ['web.jsonl', 'web.jsonl.1', 'web.jsonl.2'])
  for (const name of readdirSync(join(folder, 'e1'))) assert.ok(statSync(join(folder, 'e1', name)).size <= 1000)
  const kept = await texts('e1', 1000)
  assert.equal(kept.at(-1), 'web:line 99')
  assert.deepEqual(
    kept.slice(-30),
    Array.from({ length: 30 }, (_, n) => `web:line ${70 + n}`),
  )
  assert.deepEqual(await texts('e1', 3), ['web:line 97', 'web:line 98', 'web:line 99'])
})

test('a log that is opened again goes on, and knows its last lines', () => {
  const path = join(folder, 'e2/web.jsonl')
  const first = new LogFile(path, null)
  first.write('out', 'one')
  first.write('weir', 'said about it')
  first.close()
  const second = new LogFile(path, null)
  second.write('err', 'two')
  second.close()
  assert.deepEqual(second.lastLines(), ['one', 'two'])
})

test('several sources come in order of time, or only those that were asked for', async () => {
  const [a, b] = ['a', 'b'].map((id) => new LogFile(join(folder, `e3/${id}.jsonl`), null)) as [LogFile, LogFile]
  for (const [log, text] of [
    [a, '1'],
    [b, '2'],
    [a, '3'],
  ] as const) {
    log.write('out', text)
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
  assert.deepEqual(await texts('e3', 10), ['a:1', 'b:2', 'a:3'])
  assert.deepEqual(await texts('e3', 10, ['b']), ['b:2'])
  assert.deepEqual(
    (await logs.sources('e3')).map((it) => it.id),
    ['a', 'b'],
  )
  assert.deepEqual(await texts('nowhere', 10), [])
})

test('following gives every line once, over rotations and new sources', async () => {
  const log = new LogFile(join(folder, 'e4/web.jsonl'), null, { fileBytes: 600, rotated: 20 })
  log.write('out', '0')
  const end = new AbortController()
  const seen: string[] = []
  const following = (async () => {
    for await (const { source, text } of logs.read('e4', { limit: 100, follow: true, signal: end.signal })) {
      seen.push(`${source}:${text}`)
      if (seen.length === 32) end.abort()
    }
  })()
  for (let n = 1; n <= 30; n++) {
    log.write('out', String(n))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  new LogFile(join(folder, 'e4/late.jsonl'), null).write('out', 'here')
  setTimeout(() => end.abort(), 3000).unref()
  await following
  assert.deepEqual(
    seen.filter((it) => it.startsWith('web')),
    Array.from({ length: 31 }, (_, n) => `web:${n}`),
  )
  assert.ok(seen.includes('late:here'))
})

test('lines are cut from any pieces; overlong ones are marked, the last needs no end', () => {
  const lines: string[] = []
  const cutter = new LineCutter((line) => lines.push(line))
  for (const byte of Buffer.from('héllo\r\nwörld\n')) cutter.push(Buffer.from([byte]))
  cutter.push(Buffer.from(`${'x'.repeat(40_000)}\nrest`))
  cutter.end()
  assert.deepEqual([lines[0], lines[1], lines[3]], ['héllo', 'wörld', 'rest'])
  assert.equal(lines[2], `${'x'.repeat(16 * 1024)} …[cut]`)
})

test('logs of what is known, or has just ended, stay; others go with their folder', async () => {
  const own = mkdtempSync(join(tmpdir(), 'weir-old-logs-'))
  after(() => rmSync(own, { recursive: true }))
  const old = Date.now() / 1000 - 3600
  const write = (path: string, aged: boolean) => {
    const log = new LogFile(join(own, path), null)
    log.write('out', 'x')
    log.close()
    if (aged) utimesSync(join(own, path), old, old)
  }
  write('e1/running.jsonl', true)
  write('e1/ended.jsonl', true)
  write('e1/ended.jsonl.1', true)
  write('e1/recent.jsonl', false)
  write('e2/ended.jsonl', true)
  write('weir/server.jsonl', true)
  await removeOldLogs(own, { known: new Set(['running']), silentForMs: 60_000 })
  assert.deepEqual(readdirSync(own).sort(), ['e1', 'weir'])
  assert.deepEqual(readdirSync(join(own, 'e1')).sort(), ['recent.jsonl', 'running.jsonl'])
  assert.deepEqual(readdirSync(join(own, 'weir')), ['server.jsonl'])
})
