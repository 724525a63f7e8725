import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ask, freePort, group, Processes, route, service, startTarget, table, type Target } from './testing.ts'

describe('parent and workers', () => {
  let gateway: Processes
  let target: Target
  before(async () => {
    gateway = await Processes.start()
    target = await startTarget((request, response) => response.end(`${request.method} ${request.url}`))
  })
  after(async () => {
    await gateway.stop()
    target.close()
  })

  test('a published route and a port of its own reach the target', async () => {
    const port = await freePort()
    await gateway.publish(
      table('e1', 1, [route('shop.example.com'), { kind: 'port', listen: port, service: 'web', port: 'http', protocol: 'http' }], { web: service(group(3, { r1: target.port })) }),
    )
    const byHost = await ask({ port: gateway.port, path: '/cart?x=1', headers: { host: 'shop.example.com' } })
    assert.equal(byHost.body, 'GET /cart?x=1')
    assert.equal(byHost.headers['x-weir-release'], 'v3')
    assert.equal((await ask({ port })).body, 'GET /')
  })
})
