import assert from 'node:assert/strict'
import { type ClientHttp2Session, connect, createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, connect as connectTcp } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { ask, freePort, group, route, service, startTarget, table, until } from './testing.ts'
import { type Carried, startCarrier } from './testing-carrier.ts'

interface Reply {
  readonly headers: IncomingHttpHeaders
  readonly trailers: IncomingHttpHeaders
  readonly body: string
}

describe('gRPC', () => {
  let it: Carried
  let server: Http2Server
  let session: ClientHttp2Session
  let version = 0
  let held: ServerHttp2Stream | null = null
  const publish = (targets: Record<string, number>, drainMs = 50) =>
    it.carrier.apply(
      table('g', ++version, [route('g.test', '/', 'api', 'grpc'), route('plain.test', '/', 'web')], {
        api: service(group(6, targets), { drainMs, bodyLimit: 100_000 }),
        web: service(group(1, { pl: plainPort })),
      }),
    )
  let plainPort = 0
  const call = (path: string, body: string): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        ':authority': 'g.test',
        'content-type': 'application/grpc',
        te: 'trailers',
        'x-meta': 'm',
      })
      let headers: IncomingHttpHeaders = {}
      let trailers: IncomingHttpHeaders = {}
      let text = ''
      stream.on('response', (it) => {
        headers = it
      })
      stream.on('trailers', (it) => {
        trailers = it
      })
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      stream.on('error', reject)
      stream.on('close', () => resolve({ headers, trailers, body: text }))
      stream.end(body)
    })
  let portOfServer = 0
  let closePlain = () => {}
  before(async () => {
    it = await startCarrier()
    server = createServer()
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      stream.on('error', () => {})
      if (headers[':path'] === '/svc/Deny')
        return stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '16' }, { endStream: true })
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'x-seen': `${headers['te']} ${headers['x-meta']} ${headers['x-forwarded-for']}` },
        { waitForTrailers: true },
      )
      if (headers[':path'] === '/svc/Watch') {
        held = stream
        stream.write('first')
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
        return
      }
      let size = 0
      stream.on('data', (chunk: Buffer) => {
        size += chunk.length
      })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-size': String(size) }))
      stream.on('end', () => stream.end(`got ${size}`))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    portOfServer = (server.address() as AddressInfo).port
    const plain = await startTarget((_request, response) => response.end('plain'))
    plainPort = plain.port
    closePlain = plain.close
    publish({ g1: portOfServer })
    session = connect(`http://127.0.0.1:${it.port}`)
    session.on('error', () => {})
  })
  after(() => {
    session.destroy()
    it.carrier.destroy()
    server.close()
    closePlain()
  })

  test('a unary call arrives with its metadata and returns with its trailers', async () => {
    const reply = await call('/svc/Unary', 'x'.repeat(50_000))
    assert.equal(reply.headers[':status'], 200)
    assert.equal(reply.headers['x-seen'], 'trailers m 127.0.0.1')
    assert.equal(reply.headers['x-weir-release'], 'v6')
    assert.equal(reply.body, 'got 50000')
    assert.deepEqual([reply.trailers['grpc-status'], reply.trailers['x-size']], ['0', '50000'])
  })

  test('an answer of trailers only stays one', async () => {
    assert.equal((await call('/svc/Deny', '')).headers['grpc-status'], '16')
  })

  test('HTTP/1 on the same port is served as before', async () => {
    assert.equal((await ask({ port: it.port, headers: { host: 'plain.test' } })).body, 'plain')
  })

  test('a connection that ends without a word, as probes of load balancers do, is closed on both sides', async () => {
    const socket = connectTcp({ host: '127.0.0.1', port: it.port, allowHalfOpen: true })
    socket.on('error', () => {})
    const before = it.carrier.connections
    await new Promise((resolve) => socket.on('connect', resolve))
    await until(() => it.carrier.connections > before, 'the gateway has it')
    socket.end()
    await until(() => it.carrier.connections === before, 'the gateway has let go of it')
    socket.destroy()
  })

  test('a stream of a removed replica ends with UNAVAILABLE when it has drained', async () => {
    const reply = call('/svc/Watch', 'x')
    await until(() => held, 'the stream has begun')
    publish({ g2: portOfServer })
    const { body, trailers } = await reply
    assert.deepEqual([body, trailers['grpc-status']], ['first', '14'])
    await until(() => it.carrier.directory.inflight()['g'] === undefined, 'nothing is in flight')
  })

  test('a refusing replica is passed over; with none left the status is UNAVAILABLE with the cause', async () => {
    publish({ dead: await freePort(), g3: portOfServer })
    for (let i = 0; i < 4; i++) assert.equal((await call('/svc/Unary', 'x')).trailers['grpc-status'], '0')
    publish({})
    const none = await call('/svc/Unary', 'x')
    assert.equal(none.headers['grpc-status'], '14')
    assert.match(decodeURIComponent(String(none.headers['grpc-message'])), /no replica of api \(v6\) is ready/)
  })

  test('calls are counted by their gRPC status', async () => {
    publish({ g4: portOfServer })
    it.carrier.closeBlock()
    await call('/svc/Unary', 'x')
    await call('/svc/Deny', 'x')
    const rows = (it.carrier.closeBlock()?.rows ?? []).map(({ route: path, requests, errors, rejected4xx }) => ({ path, requests, errors, rejected4xx }))
    assert.deepEqual(
      rows.sort((a, b) => (a.path < b.path ? -1 : 1)),
      [
        { path: '/svc/Deny', requests: 1, errors: 0, rejected4xx: 1 },
        { path: '/svc/Unary', requests: 1, errors: 0, rejected4xx: 0 },
      ],
    )
  })
})
