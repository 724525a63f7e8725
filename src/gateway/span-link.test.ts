import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { ORACLE } from '../telemetry/wire/testing-otlp.ts'
import type { Group, Place } from './directory.ts'
import { SpanBatch } from './span-batch.ts'
import { SpanLink } from './span-link.ts'
import { GatewaySpans } from './spans.ts'
import { route, table } from './testing.ts'
import { NO_TRACE } from './trace-context.ts'

let folder = ''
let server: Server | null = null
let link: SpanLink
let spans: GatewaySpans
const batches: { worker: string; version: string; dropped: number; makers: number }[] = []
let answer = { version: 'a', senders: ['e1/web/v1'] }
const group: Group = { origin: 1, cause: null, targets: [] }
const place: Place = {
  environment: { table: table('e1', 1, [route(null)], {}), services: new Map(), judged: null, shadow: null },
  listener: route(null),
  service: { name: 'web', stable: group, canary: null, timeoutMs: 1, drainMs: 1, bodyLimit: 1 },
  hop: 'entry',
}
const request = () => {
  const hop = spans.begin(place, group, NO_TRACE, false)
  spans.end({ hop, place, origin: 1, method: 'GET', path: '/', status: 200, aborted: false, broken: false, replica: 'e1-web-v1-1', label: null })
  return hop
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-link-'))
  batches.length = 0
  const batch = new SpanBatch()
  spans = new GatewaySpans(Date.now, (span) => batch.add(span))
  link = new SpanLink(spans, batch, join(folder, 'spans.sock'), 'w1')
})
afterEach(async () => {
  await link.close()
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(null)))
  server = null
  rmSync(folder, { recursive: true })
})

async function listen(status = 200): Promise<void> {
  const made = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const { 'x-weir-worker': worker, 'x-weir-senders': version, 'x-weir-dropped': dropped } = incoming.headers
      const { resourceSpans } = ORACLE.traces.decode(Buffer.concat(chunks)) as object as { resourceSpans: unknown[] }
      batches.push({ worker: String(worker), version: String(version), dropped: Number(dropped), makers: resourceSpans.length })
      response.writeHead(status).end(JSON.stringify(answer))
    })
  })
  server = made
  await new Promise<void>((resolve) => made.listen(join(folder, 'spans.sock'), resolve))
}

test('spans are brought in one batch, and the answer tells who makes its own', async () => {
  await listen()
  assert.notEqual(request().server, '')
  await link.flush()
  assert.deepEqual([batches.length, batches[0]?.worker, batches[0]?.makers], [1, 'w1', 2])
  assert.equal(request().server, '', 'web makes spans of its own')
  answer = { version: 'a', senders: [] }
  await link.flush()
  assert.equal(batches[1]?.version, 'a')
  assert.equal(request().server, '', 'an answer of the version that we have changes nothing')
})

test('what nobody takes is lost and counted, and told when somebody is there again', async () => {
  request()
  await link.flush()
  assert.equal(link.lost, 2)
  await listen()
  request()
  await link.flush()
  assert.equal(batches[0]?.dropped, 2)
})

test('an answer that is none is a loss, not a crash', async () => {
  await listen(500)
  request()
  await link.flush()
  assert.equal(link.lost, 2)
})
