import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { readLogs } from '../../../wire/logs.ts'
import { otlpFromJson } from '../../../wire/otlp-json.ts'
import { ProtobufReader } from '../../../wire/protobuf-reader.ts'
import { until } from '../../testing.ts'
import type { LogEntry } from '../log-record.ts'
import { receiverAt } from './receivers.ts'
import { LogSender } from './sender.ts'

const AT = Date.parse('2026-11-22T10:00:00.123Z')
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const entry = (text: string): LogEntry => ({
  atMs: AT,
  service: 'web',
  release: 'v3',
  instance: 'e12-web-v3-7',
  severity: 18,
  trace: TRACE,
  span: 'b7ad6b7169203331',
  text,
  attributes: { user: 7 },
})
const QUICK = { everyMs: 5, retryMs: { first: 5, most: 20 } }

const home = mkdtempSync('/tmp/weir-export-')
const closing: (() => void)[] = []
after(() => {
  for (const close of closing) close()
  rmSync(home, { recursive: true })
})

/** Answers each request with the next of `answers`, the last one for ever. */
async function server(answers: readonly { status: number; body?: string }[]) {
  const seen: { path: string; body: string }[] = []
  const http = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const answer = answers[Math.min(seen.length, answers.length - 1)]
      seen.push({ path: request.url ?? '', body })
      response.writeHead(answer?.status ?? 200, { 'content-type': 'application/json' }).end(answer?.body ?? '{}')
    })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  closing.push(
    () => http.close(),
    () => http.closeAllConnections(),
  )
  return { seen, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` }
}

test('a file gets a line of JSON for each line', async () => {
  const sender = new LogSender(receiverAt(`file:${home}/all.jsonl`), QUICK)
  sender.add('e12', [entry('one'), entry('two')])
  await sender.close()
  const lines = readFileSync(`${home}/all.jsonl`, 'utf8').trim().split('\n')
  assert.equal(lines.length, 2)
  assert.deepEqual(JSON.parse(lines[0] as string), {
    '@timestamp': '2026-11-22T10:00:00.123Z',
    message: 'one',
    'log.level': 'ERROR',
    'service.name': 'web',
    'service.version': 'v3',
    'service.instance.id': 'e12-web-v3-7',
    'weir.environment': 'e12',
    'trace.id': TRACE,
    'span.id': 'b7ad6b7169203331',
    attributes: { user: 7 },
  })
})

test('an OTLP receiver gets what an OTLP reader reads', async () => {
  const { seen, url } = await server([{ status: 200 }])
  const sender = new LogSender(receiverAt(`otlp+${url}`), QUICK)
  sender.add('e12', [entry('one'), { ...entry('two'), service: 'shop' }])
  await until(() => sender.health().sent === 2)
  assert.equal(seen[0]?.path, '/v1/logs')
  const request = otlpFromJson('logs', JSON.parse(seen[0]?.body ?? ''))
  const { records } = readLogs(new ProtobufReader(request), request.length)
  const read = records.map(({ maker, text, severity, trace }) => [maker.service, text, severity, trace])
  assert.deepEqual(read, [
    ['web', 'one', 18, TRACE],
    ['shop', 'two', 18, TRACE],
  ])
  await sender.close()
})

test('Elasticsearch gets an action and a document a line, and what it refuses is counted', async () => {
  const answer = { errors: true, items: [{ create: { status: 201 } }, { create: { status: 400 } }] }
  const { seen, url } = await server([{ status: 200, body: JSON.stringify(answer) }])
  const sender = new LogSender(receiverAt(`elasticsearch+${url}/logs-weir`), QUICK)
  sender.add('e12', [entry('one'), entry('two')])
  await until(() => sender.health().waiting === 0)
  assert.equal(seen[0]?.path, '/logs-weir/_bulk')
  const lines = (seen[0]?.body ?? '').trimEnd().split('\n')
  assert.deepEqual([JSON.parse(lines[0] as string), (JSON.parse(lines[3] as string) as { message: string }).message], [{ create: {} }, 'two'])
  assert.deepEqual([sender.health().sent, sender.health().refused], [1, 1])
  await sender.close()
})

test('while the receiver is away lines wait in order, and those beyond the bound are counted', async () => {
  const { seen, url } = await server([{ status: 503 }, { status: 429 }, { status: 200 }])
  const sender = new LogSender(receiverAt(`otlp+${url}`), { ...QUICK, mostWaiting: 3 })
  sender.add('e12', ['a', 'b', 'c', 'd', 'e'].map(entry))
  await until(() => sender.health().problem !== null)
  await until(() => sender.health().sent === 3)
  assert.deepEqual(sender.health(), { sent: 3, waiting: 0, shed: 2, refused: 0, problem: null })
  assert.equal(seen.length, 3)
  assert.equal(seen[0]?.body, seen[2]?.body)
  await sender.close()
})

test('what a receiver will never take does not hold up the next lines', async () => {
  const { url } = await server([{ status: 400, body: 'no' }, { status: 200 }])
  const sender = new LogSender(receiverAt(`otlp+${url}`), QUICK)
  sender.add('e12', [entry('bad')])
  await until(() => sender.health().refused === 1)
  sender.add('e12', [entry('good')])
  await until(() => sender.health().sent === 1)
  await sender.close()
})

test('a receiver that is not there holds up the end of the process for two seconds at most', async () => {
  const sender = new LogSender(receiverAt('otlp+http://127.0.0.1:1'), QUICK)
  sender.add('e12', [entry('x')])
  const begun = performance.now()
  await sender.close()
  assert.ok(performance.now() - begun < 2500)
  assert.equal(sender.health().waiting, 1)
})

test('an address of no known kind is refused with what would be one', () => {
  for (const address of ['http://host', 'otlp://host', 'file:relative', 'elasticsearch+ftp://x'])
    assert.throws(() => receiverAt(address), /logs cannot be sent there/)
})
