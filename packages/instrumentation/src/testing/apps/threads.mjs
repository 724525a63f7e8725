// One worker thread and one process of a cluster, each with a server of its own.
import cluster from 'node:cluster'
import { createServer } from 'node:http'
import { isMainThread, Worker } from 'node:worker_threads'

if (!isMainThread || cluster.isWorker) {
  const place = isMainThread ? '/in-process' : '/in-thread'
  const server = createServer((_request, response) => response.end())
  server.listen(0, '127.0.0.1', async () => {
    await (await fetch(`http://127.0.0.1:${server.address().port}${place}`)).text()
  })
} else {
  new Worker(new URL(import.meta.url))
  cluster.fork()
  console.log('port 1')
}
