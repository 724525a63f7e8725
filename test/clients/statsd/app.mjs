/** As the guide of hot-shots has it: a client of DogStatsD, told where to send. `app.mjs NAME` */
import { StatsD } from 'hot-shots'

const [name] = process.argv.slice(2)
const client = new StatsD({
  host: process.env.STATSD_HOST,
  port: Number(process.env.STATSD_PORT),
  prefix: `${name}.`,
  globalTags: { service: 'web' },
  maxBufferSize: 1000,
})
for (let n = 1; n <= 100; n++) client.timing('took', n)
client.increment('orders', 3)
client.gauge('queue', 7)
client.unique('users', 'alice')
client.unique('users', 'bob')
await new Promise((resolve) => client.close(resolve))
