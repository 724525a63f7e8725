import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { built, nodes, startApp } from './testing/app.ts'
import { type Receiver, startReceiver } from './testing/receiver.ts'
import { startRedisServer } from './testing/redis-server.ts'

let register: Awaited<ReturnType<typeof built>>
let receiver: Receiver
let redis: Awaited<ReturnType<typeof startRedisServer>>
before(async () => {
  register = await built()
  receiver = await startReceiver()
  redis = await startRedisServer()
})
after(async () => {
  redis.stop()
  await receiver.stop()
  register.remove()
})

for (const { path: node, version } of nodes()) {
  for (const client of ['ioredis', 'node-redis']) {
    test(`commands by ${client} are client spans of their request, without keys and values, on Node ${version}`, async (t) => {
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: 'cart', REDIS_PORT: String(redis.port) }
      const app = await startApp('redis.cjs', { register: register.file, node, env, args: [client] })
      t.after(() => app.stop())
      await receiver.clear()
      const ask = async (path: string) => (await fetch(app.url + path)).json()
      assert.equal(await ask('/get'), 'value')
      assert.match(String(await ask('/fails')), /WRONGTYPE/)
      await ask('/multi')
      const spans = await receiver.until((all) => all.some(({ name }) => name === 'GET /multi'))
      assert.ok(!JSON.stringify(spans).includes('secret'))

      const server = spans.find(({ name }) => name === 'GET /get')
      const get = spans.find(({ name, traceId }) => name === 'GET' && traceId === server?.traceId)
      assert.deepEqual([get?.kind, get?.parentId], ['client', server?.spanId])
      assert.deepEqual(get?.attributes, { 'db.system.name': 'redis', 'db.operation.name': 'GET', 'server.address': '127.0.0.1', 'server.port': redis.port })
      const failed = spans.find(({ name }) => name === 'LPOP')
      assert.deepEqual([failed?.status, failed?.message.includes('WRONGTYPE')], [2, true])
      const multi = spans.find(({ name }) => name === 'GET /multi')
      assert.ok(
        spans.some(({ name, parentId }) => name === 'MULTI' && parentId === multi?.spanId),
        spans.map(({ name }) => name).join(),
      )
      assert.ok(!spans.some(({ name }) => ['HELLO', 'CLIENT', 'INFO'].includes(name)))
    })
  }
}
