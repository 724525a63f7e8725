// A service on node:http alone, with what services do: calls by http and fetch, streams, upgrades, mistakes.
const http = require('node:http')

const server = http.createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://app')
  const self = `http://127.0.0.1:${server.address().port}`
  if (pathname === '/echo') return response.end(JSON.stringify(request.headers))
  if (pathname === '/fetch') return response.end(await (await fetch(`${self}/echo?secret=1`)).text())
  if (pathname === '/fetch-by-hand') {
    const headers = { traceparent: request.headers.traceparent, baggage: 'mine=1' }
    return response.end(await (await fetch(`${self}/echo`, { headers })).text())
  }
  if (pathname === '/get') return http.get(`${self}/echo?secret=1`, (answer) => answer.pipe(response))
  if (pathname === '/get-no-listener') return http.get(`${self}/echo`).on('close', () => response.end('closed'))
  if (pathname === '/refused') return fetch('http://127.0.0.1:4/').catch((error) => response.writeHead(502).end(error.message))
  if (pathname === '/refused-get') return http.get('http://127.0.0.1:4/').on('error', (error) => response.writeHead(502).end(error.message))
  if (pathname === '/status') return response.writeHead(503).end('busy')
  if (pathname === '/stream') {
    response.write('a')
    for (let part = 0; part < 3; part++) await new Promise((resolve) => setTimeout(() => resolve(response.write('b')), 50))
    return response.end()
  }
  if (pathname === '/body-events') {
    request.resume().on('end', () =>
      fetch(`${self}/echo`)
        .then((answer) => answer.text())
        .then((text) => response.end(text)),
    )
    return undefined
  }
  if (pathname === '/never') return undefined
  if (pathname === '/exit') {
    response.end('bye', () => process.exit(3))
    return undefined
  }
  if (pathname === '/token/eyJhbGciOiJFZERTQSJ9abcdef012345') return response.end()
  return response.writeHead(404).end()
})
server.on('upgrade', (request, socket) => {
  socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nhello')
})
server.prependListener('request', ({ url }) => {
  if (url === '/throws') throw new TypeError('thrown by a handler')
})
if (process.argv.includes('sigterm')) process.on('SIGTERM', () => server.close(() => process.exit(0)) && server.closeIdleConnections())
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
