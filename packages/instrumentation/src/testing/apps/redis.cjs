// The same by two clients: `redis.cjs CLIENT`.
const http = require('node:http')
const port = Number(process.env.REDIS_PORT)

const clients = {
  async ioredis() {
    const Redis = require('ioredis')
    const client = new Redis(port, '127.0.0.1', { enableReadyCheck: false, maxRetriesPerRequest: 1 })
    return {
      get: () => client.get('session:secret'),
      fails: () => client.lpop('list'),
      multi: () => client.multi().set('a', 'secret').get('a').exec(),
    }
  },
  async 'node-redis'() {
    const { createClient } = require('@redis/client')
    const client = createClient({ socket: { port, host: '127.0.0.1' }, RESP: 2 })
    client.on('error', () => {})
    await client.connect()
    return {
      get: () => client.get('session:secret'),
      fails: () => client.lPop('list'),
      multi: () => client.multi().set('a', 'secret').get('a').exec(),
    }
  },
}

void clients[process.argv[2]]().then((client) => {
  const server = http.createServer(async ({ url }, response) => {
    const answer = await client[url.slice(1)]().catch((error) => error.message)
    response.end(JSON.stringify(answer))
  })
  server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
})
