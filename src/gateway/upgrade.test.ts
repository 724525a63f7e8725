import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type WebSocket as Socket, WebSocket, WebSocketServer } from 'ws'
import { ask, freePort, group, route, service, startTarget, type Target, table, until } from './testing.ts'
import { type Carried, startCarrier } from './testing-carrier.ts'

describe('WebSockets', () => {
  let it: Carried
  let target: Target
  let server: WebSocketServer
  let version = 0
  const onServer: { socket: Socket; headers: Record<string, unknown> }[] = []
  const publish = (targets: Record<string, number>, drainMs = 60) =>
    it.carrier.apply(table('ws', ++version, [route('ws.test')], { web: service(group(5, targets), { drainMs }) }))
  const open = async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${it.port}/chat`, { headers: { host: 'ws.test' } })
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve())
      socket.once('error', reject)
    })
    return socket
  }
  before(async () => {
    it = await startCarrier()
    target = await startTarget((_request, response) => response.writeHead(426).end('upgrade'))
    server = new WebSocketServer({ server: target.server })
    server.on('connection', (socket, request) => {
      onServer.push({ socket, headers: request.headers })
      socket.on('message', (data: Buffer, binary: boolean) => socket.send(data, { binary }))
    })
    publish({ w1: target.port })
  })
  after(() => {
    it.carrier.destroy()
    for (const client of server.clients) client.terminate()
    target.close()
  })

  test('messages of all sizes go both ways unharmed, and the service learns who asks', async () => {
    const socket = await open()
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
      const sent = Buffer.alloc(size, 'x')
      const back = new Promise<Buffer>((resolve) => socket.once('message', (data: Buffer) => resolve(data)))
      socket.send(sent)
      assert.deepEqual(await back, sent)
    }
    assert.equal(onServer.at(-1)?.headers['x-forwarded-host'], 'ws.test')
    socket.close(1000)
    await new Promise((resolve) => socket.once('close', resolve))
    await until(() => it.carrier.directory.inflight()['ws'] === undefined, 'nothing is in flight')
  })

  test('a removed replica keeps its WebSockets for drainMs, then both sides get 1012 between two messages', async () => {
    publish({ w2: target.port }, 120)
    const socket = await open()
    const atServer = onServer.at(-1)?.socket as Socket
    let received = 0
    socket.on('message', () => received++)
    const sender = setInterval(() => atServer.send(Buffer.alloc(300_000)), 1) // the close must not fall into a message
    const clientClosed = new Promise<number>((resolve) => socket.once('close', (code: number) => resolve(code)))
    const serverClosed = new Promise<number>((resolve) => atServer.once('close', (code: number) => resolve(code)))
    const failed = new Promise<never>((_resolve, reject) => socket.once('error', reject))
    const startedAt = performance.now()
    publish({ w3: target.port })
    assert.equal(it.carrier.directory.inflight()['ws']?.['w2'], 1)
    assert.equal(await Promise.race([clientClosed, failed]), 1012)
    clearInterval(sender)
    assert.ok(performance.now() - startedAt >= 110)
    assert.equal(await serverClosed, 1012)
    assert.ok(received > 0)
    await until(() => it.carrier.directory.inflight()['ws'] === undefined, 'nothing is in flight')
  })

  test('a refused handshake reaches the client as the service said it', async () => {
    const plain = await startTarget(() => {})
    plain.server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno'))
    publish({ w4: plain.port })
    const socket = new WebSocket(`ws://127.0.0.1:${it.port}/`, { headers: { host: 'ws.test' } })
    assert.match((await new Promise<Error>((resolve) => socket.once('error', resolve))).message, /401/)
    plain.close()
  })

  test('a handshake finds its way past a replica that refuses, and is a 502 when all do', async () => {
    publish({ dead: await freePort(), w5: target.port })
    for (let i = 0; i < 4; i++) (await open()).terminate()
    publish({ dead2: await freePort() })
    await assert.rejects(open(), /502/)
  })

  test('an upgrade to anything else is served as if it had not been asked for', async () => {
    publish({ w6: target.port })
    assert.equal(
      (
        await ask({
          port: it.port,
          headers: { host: 'ws.test', connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAARAAAAAAAIAAAAA' },
        })
      ).status,
      426,
    )
  })
})
