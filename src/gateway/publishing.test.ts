import assert from 'node:assert/strict'
import { type AddressInfo, createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { ask, freePort, group, Processes, pause, route, service, startLoad, startTarget, type Target, table, until } from './testing.ts'

describe('publishing to running workers', () => {
  let target: Target
  let gateway: Processes
  before(async () => {
    target = await startTarget((request, response) => {
      if (request.url === '/slow') setTimeout(() => response.end('slow'), 150)
      else response.end('ok')
    })
    gateway = await Processes.start({ WEIR_GATEWAY_WORKERS: '2' })
    await gateway.publish(table('e1', 1, [route('shop.test')], { web: service(group(1, { r1: target.port })) }))
  })
  after(async () => {
    await gateway.stop()
    target.close()
  })

  test('a hundred table changes under load fail no request', async () => {
    const other = await startTarget((_request, response) => response.end('ok'))
    const load = startLoad(gateway.port, 'shop.test', 6)
    for (let n = 2; n <= 101; n++) {
      await gateway.publish(table('e1', n, [route('shop.test')], { web: service(group(n, { [`r${n}`]: n % 2 === 0 ? other.port : target.port })) }))
    }
    const { answered, failures } = await load.stop()
    other.close()
    assert.ok(answered > 0)
    assert.deepEqual(failures, [])
  })

  test('a port that another program holds is named, and taken once it is free', async () => {
    const squatter = createServer()
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve))
    const { port } = squatter.address() as AddressInfo
    await gateway.publish(
      table('e3', 1, [{ kind: 'port', listen: port, service: 'web', port: 'http', protocol: 'http' }], { web: service(group(1, { s1: target.port })) }),
    )
    assert.deepEqual((await gateway.client.observe('e3')).refused, [{ listener: `port ${port}`, cause: `port ${port} is in use` }])
    squatter.close()
    await until(async () => (await gateway.client.observe('e3')).refused.length === 0, 'it was opened')
    assert.equal((await until(() => ask({ port }).catch(() => null), 'it is served')).body, 'ok')
  })

  test('a port that was refused for long is tried at once for a new table version', async () => {
    const squatter = createServer()
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve))
    const { port } = squatter.address() as AddressInfo
    const app = (n: number) =>
      table('e5', n, [{ kind: 'port', listen: port, service: 'web', port: 'http', protocol: 'http' }], { web: service(group(1, { s1: target.port })) })
    await gateway.publish(app(1))
    await pause(1200) // the second try is over, the third one is two seconds away
    await new Promise((resolve) => squatter.close(resolve))
    await gateway.client.publish(table('e6', 1, [route('other.test')], { web: service(group(1, { s1: target.port })) }))
    assert.equal((await gateway.client.observe('e5')).refused.length, 1, "another environment's table is no reason to try")
    await gateway.publish(app(2))
    assert.deepEqual((await gateway.client.observe('e5')).refused, [])
    assert.equal((await ask({ port })).body, 'ok')
  })

  test('edges are served on loopback addresses of their own and closed with their table', async () => {
    const listen = await freePort()
    const edge = {
      kind: 'edge',
      id: 'e-1',
      address: '127.64.9.9',
      listen,
      caller: 'web',
      origin: 1,
      service: 'api',
      port: 'http',
      protocol: 'http',
      track: 'baggage',
    } as const
    await gateway.publish(table('e4', 1, [edge], { api: service(group(1, { a1: target.port })) }))
    assert.equal((await ask({ port: listen, address: '127.64.9.9' })).body, 'ok')
    await assert.rejects(ask({ port: listen, address: '127.0.0.1' }), { code: 'ECONNREFUSED' })
    await gateway.client.withdraw('e4', { epoch: 1, n: 2 })
    await until(
      () =>
        ask({ port: listen, address: '127.64.9.9' }).then(
          () => false,
          (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
        ),
      'the edge is closed',
    )
  })
})
