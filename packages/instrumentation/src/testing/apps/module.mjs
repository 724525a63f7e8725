// The same as an ES module, with named imports of what is patched.
import { createServer, get, request } from 'node:http'

const server = createServer((incoming, response) => {
  const self = { host: '127.0.0.1', port: server.address().port }
  if (incoming.url === '/echo') response.end(JSON.stringify(incoming.headers))
  else if (incoming.url === '/get') get({ ...self, path: '/echo' }, (answer) => answer.pipe(response))
  else request({ ...self, path: '/echo', method: 'POST' }, (answer) => answer.pipe(response)).end('body')
})
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
