import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { ListeningSockets } from './listening-sockets.ts'
import { freePort } from './testing.ts'

test('a socket is held without taking connections, and can be listened on by whoever gets it', async () => {
  const sockets = new ListeningSockets(() => false)
  const port = await freePort()
  sockets.open('public', { host: '127.0.0.1', port }, 0)
  const [held] = sockets.list()
  const server = createServer((socket) => socket.end())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(held?.handle as never, resolve)
  })
  assert.equal((server.address() as { port: number }).port, port)
  server.close()
})

test('a port of another program is refused with its number', async () => {
  const squatter = createServer()
  await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve))
  const { port } = squatter.address() as { port: number }
  const sockets = new ListeningSockets(() => false)
  sockets.open('public', { host: '127.0.0.1', port }, 0)
  assert.equal(sockets.refusal('public'), `port ${port} is in use`)
  await new Promise((resolve) => squatter.close(resolve))
  sockets.open('public', { host: '127.0.0.1', port }, 0)
  assert.equal(sockets.refusal('public'), null)
  sockets.close('public')
})

test('a refused port is tried again ever more seldom, in the end every 30 s, and at once when it is asked for anew', async () => {
  const port = await freePort()
  const address = { host: '127.0.0.1', port }
  const sockets = new ListeningSockets(() => false)
  const squat = async () => {
    const squatter = createServer()
    await new Promise<void>((resolve) => squatter.listen(port, '127.0.0.1', resolve))
    return () => new Promise((resolve) => squatter.close(resolve))
  }
  let free = await squat()
  sockets.open('public', address, 0)
  for (const at of [1_000, 3_000, 7_000, 15_000, 31_000, 61_000, 91_000]) assert.deepEqual(sockets.retry(at), [], 'still taken')
  await free()
  assert.deepEqual(sockets.retry(120_999), [], 'free, but not yet tried again')
  assert.deepEqual(sockets.retry(121_000), ['public'])
  assert.equal(sockets.refusal('public'), null)
  assert.deepEqual(sockets.retry(500_000), [], 'open is open')
  sockets.close('public')

  free = await squat()
  sockets.open('public', address, 0)
  sockets.retry(1_000)
  sockets.open('public', address, 1_500)
  await free()
  assert.deepEqual(sockets.retry(2_500), ['public'], 'who asks anew waits as at first')
  sockets.close('public')
})

test('two installations of one account cannot share a port by accident; a new parent of one can', async () => {
  const port = await freePort()
  const [mine, foreign, successor] = [new ListeningSockets(() => false), new ListeningSockets(() => false), new ListeningSockets(() => true)]
  mine.open('public', { host: '127.0.0.1', port }, 0)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(mine.list()[0]?.handle as never, resolve))
  foreign.open('public', { host: '127.0.0.1', port }, 0)
  successor.open('public', { host: '127.0.0.1', port }, 0)
  assert.equal(foreign.refusal('public'), `port ${port} is in use`)
  assert.equal(successor.refusal('public'), null)
  for (const it of [mine, foreign, successor]) it.close('public')
  server.close()
})

test('an address of another machine is refused by name', () => {
  const sockets = new ListeningSockets(() => false)
  sockets.open('public', { host: '192.0.2.1', port: 4000 }, 0)
  assert.equal(sockets.refusal('public'), 'this machine has no address 192.0.2.1')
})
