import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Client, ClientError, createClient } from './client.ts'

/** A server that answers by what `answer` says, and the client for it. */
async function against(answer: (request: IncomingMessage, response: ServerResponse, count: number) => void): Promise<Client> {
  let count = 0
  const server = createServer((request, response) => answer(request, response, ++count))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = createClient({ address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 't' })
  after(() => {
    client.close()
    server.closeAllConnections()
    server.close()
  })
  return client
}
const RELEASE = { params: { app: 'shop', environment: 'production' }, body: { source: { kind: 'release', number: 1 } } } as const
const json = (response: ServerResponse, status: number, body: object, headers = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))

test('a mutating call whose connection is lost is sent again with the same key', async () => {
  const keys: unknown[] = []
  const client = await against((request, response, count) => {
    keys.push(request.headers['idempotency-key'])
    if (count < 3) request.socket.destroy()
    else json(response, 202, { number: 4 })
  })
  assert.equal((await client.call('releases.create', RELEASE)).number, 4)
  assert.equal(keys.length, 3)
  assert.equal(new Set(keys).size, 1)
  assert.match(String(keys[0]), /^[0-9a-f-]{36}$/)
})

test('different calls have different keys, and reading has none', async () => {
  const keys: unknown[] = []
  const client = await against((request, response) => {
    keys.push(request.headers['idempotency-key'])
    json(response, 200, {})
  })
  await client.call('releases.create', RELEASE)
  await client.call('releases.create', RELEASE)
  await client.call('apps.list', {})
  assert.notEqual(keys[0], keys[1])
  assert.equal(keys[2], undefined)
})

test('a log-in is not sent twice', async () => {
  let asked = 0
  const client = await against((request) => {
    asked++
    request.socket.destroy()
  })
  await assert.rejects(
    client.call('identity.login', { body: { name: 'ann', password: 'x' } }),
    (error: ClientError) => error.code === 'E_UNAVAILABLE' && error.status === 0,
  )
  assert.equal(asked, 1)
})

test('503 and 429 are waited out as long as Retry-After says', async () => {
  const begun = performance.now()
  const client = await against((_request, response, count) => {
    if (count === 1) json(response, 503, { code: 'E_UNAVAILABLE', message: 'away' }, { 'retry-after': '1' })
    else json(response, 200, { items: [], cursor: null })
  })
  assert.deepEqual((await client.call('apps.list', {})).items, [])
  assert.ok(performance.now() - begun >= 1000)
})

test('where nobody ever listened, it says so at once and how to start', async () => {
  const client = createClient({ address: 'unix:/nonexistent/weir.sock' })
  const begun = performance.now()
  await assert.rejects(client.call('releases.create', RELEASE), (error: ClientError) => error.code === 'E_UNAVAILABLE' && error.explanation.next === 'weir up')
  assert.ok(performance.now() - begun < 500)
})

test("a problem becomes an error with the server's words", async () => {
  const problem = {
    code: 'E_NOT_FOUND',
    message: 'no app "shp"',
    cause: 'c',
    evidence: 'e',
    state: 's',
    next: 'weir list',
    exit: 5,
    requestId: 'r1',
    problems: [{ at: 'x', message: 'y' }],
  }
  const client = await against((_request, response) => json(response, 404, problem))
  await assert.rejects(client.call('apps.show', { params: { app: 'shp' } }), (error: ClientError) => {
    assert.ok(error instanceof ClientError)
    assert.deepEqual([error.code, error.exit, error.status, error.requestId], ['E_NOT_FOUND', 5, 404, 'r1'])
    assert.deepEqual(error.explanation, {
      message: 'no app "shp"',
      cause: 'c',
      evidence: 'e',
      state: 's',
      next: 'weir list',
      problems: [{ at: 'x', message: 'y' }],
    })
    return true
  })
})

test('an answer that is not from Weir is quoted, not trusted', async () => {
  const client = await against((_request, response) => response.writeHead(502).end('<html>Bad Gateway</html>'))
  await assert.rejects(client.call('apps.list', {}), (error: ClientError) => error.status === 502 && error.explanation.cause === '<html>Bad Gateway</html>')
})

test('parameters and queries reach the server as they were meant', async () => {
  let url = ''
  const client = await against((request, response) => {
    url = String(request.url)
    json(response, 200, {})
  })
  await client.call('apps.remove', { params: { app: 'a/../b?' }, query: { confirm: 'a&b', withData: true } })
  assert.equal(url, '/api/v1/apps/a%2F..%2Fb%3F?confirm=a%26b&withData=true')
})

test('a stream goes on behind the last event after it was cut, and ends with `end`', async () => {
  const asked: unknown[] = []
  const client = await against((request, response, count) => {
    asked.push(request.headers['last-event-id'])
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    if (count === 1)
      response.write('id: 1\nevent: line\ndata: {"text":"a"}\n\n: hello\n\nid: 2\nevent: li', () => setTimeout(() => request.socket.destroy(), 20))
    else response.end('id: 2\nevent: line\ndata: {"text":"b"}\n\nevent: end\ndata: {}\n\n')
  })
  const texts = []
  for await (const { data } of client.stream('logs.follow', { params: RELEASE.params })) texts.push(data.text)
  assert.deepEqual(texts, ['a', 'b'])
  assert.deepEqual(asked, [undefined, '1'])
})

test('a stream that fails on the way ends with the reason', async () => {
  const client = await against((_request, response) =>
    response
      .writeHead(200, { 'content-type': 'text/event-stream' })
      .end('event: problem\ndata: {"status":503,"code":"E_UNAVAILABLE","message":"away","exit":1}\n\n'),
  )
  const stream = client.stream('events.follow', {})[Symbol.asyncIterator]()
  await assert.rejects(stream.next(), (error: ClientError) => error.code === 'E_UNAVAILABLE' && error.message === 'away')
})

test('a stream can be left at any time', async () => {
  const client = await against((_request, response) =>
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('event: line\ndata: {"text":"a"}\n\n'),
  )
  const stop = new AbortController()
  const seen = []
  for await (const { data } of client.stream('logs.follow', { params: RELEASE.params }, { signal: stop.signal })) {
    seen.push(data)
    stop.abort()
  }
  assert.equal(seen.length, 1)
})

test('the client loads no schema library', () => {
  const hooks = `import { registerHooks } from 'node:module'; registerHooks({ resolve(s, c, n) { if (s === 'zod' || s.startsWith('zod/')) { console.log('ZOD'); } return n(s, c) } }); const { createClient } = await import(${JSON.stringify(join(import.meta.dirname, 'client.ts'))}); createClient({ address: 'unix:/x' }); await import(${JSON.stringify(join(import.meta.dirname, 'stream.ts'))}); await import(${JSON.stringify(join(import.meta.dirname, 'exec-session.ts'))}); console.log('loaded')`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', hooks], { encoding: 'utf8' })
  assert.equal(stdout.trim(), 'loaded')
})
