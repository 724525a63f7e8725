import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { ListeningSockets } from './listening-sockets.ts'
import { freePort } from './testing.ts'

test('a socket is held without taking connections, and can be listened on by whoever gets it', async () => {
  const sockets = new ListeningSockets(() => false)
  const port = await freePort()
  sockets.open('public', { host: '127.0.0.1', port })
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
  sockets.open('public', { host: '127.0.0.1', port })
  assert.equal(sockets.refusal('public'), `port ${port} is in use`)
  await new Promise((resolve) => squatter.close(resolve))
  sockets.open('public', { host: '127.0.0.1', port })
  assert.equal(sockets.refusal('public'), null)
  sockets.close('public')
})

test('two installations of one account cannot share a port by accident; a new parent of one can', async () => {
  const port = await freePort()
  const [mine, foreign, successor] = [new ListeningSockets(() => false), new ListeningSockets(() => false), new ListeningSockets(() => true)]
  mine.open('public', { host: '127.0.0.1', port })
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(mine.list()[0]?.handle as never, resolve))
  foreign.open('public', { host: '127.0.0.1', port })
  successor.open('public', { host: '127.0.0.1', port })
  assert.equal(foreign.refusal('public'), `port ${port} is in use`)
  assert.equal(successor.refusal('public'), null)
  for (const it of [mine, foreign, successor]) it.close('public')
  server.close()
})

test('an address of another machine is refused by name', () => {
  const sockets = new ListeningSockets(() => false)
  sockets.open('public', { host: '192.0.2.1', port: 4000 })
  assert.equal(sockets.refusal('public'), 'this machine has no address 192.0.2.1')
})
