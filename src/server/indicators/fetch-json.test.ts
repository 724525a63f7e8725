import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { fetchJson } from './fetch-json.ts'

let server: Server
let url: string
const heard: string[] = []

before(async () => {
  server = createServer((request, response) => {
    heard.push(request.url ?? '')
    if (request.url === '/moved') response.writeHead(302, { location: '/data' })
    const bodies: Record<string, string> = { '/moved': '', '/large': `"${'x'.repeat(300 * 1024)}"`, '/text': 'hello' }
    response.end(bodies[request.url ?? ''] ?? '{"rate": 3}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => server.close())

const machine = { reach: 'machine', ownPorts: new Set<number>() } as const

test('JSON is fetched; redirects, large answers and what is no JSON are refused', async () => {
  assert.deepEqual(await fetchJson(`${url}/data`, machine), { rate: 3 })
  await assert.rejects(fetchJson(`${url}/moved`, machine), /answered 302/)
  await assert.rejects(fetchJson(`${url}/large`, machine), /larger than 256 KiB/)
  await assert.rejects(fetchJson(`${url}/text`, machine))
})

test("no address leads into this machine, to cloud metadata or to Weir's own ports", async () => {
  const port = (server.address() as AddressInfo).port
  const before = heard.length
  for (const reach of ['internet', 'network'] as const) await assert.rejects(fetchJson(`${url}/data`, { ...machine, reach }), /out of reach/)
  await assert.rejects(fetchJson(`http://localhost:${port}/data`, { ...machine, reach: 'network' }), /out of reach/)
  await assert.rejects(fetchJson(`http://[::ffff:127.0.0.1]:${port}/`, { ...machine, reach: 'network' }), /out of reach/)
  await assert.rejects(fetchJson('http://169.254.169.254/latest/meta-data', machine), /out of reach/)
  await assert.rejects(fetchJson(`${url}/data`, { reach: 'machine', ownPorts: new Set([port]) }), /out of reach/)
  for (const other of ['file:///etc/passwd', 'ftp://a/', 'http://ann:secret@example.com/']) await assert.rejects(fetchJson(other, machine))
  assert.equal(heard.length, before, 'nobody was asked')
})
