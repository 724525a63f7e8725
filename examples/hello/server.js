import { createServer } from 'node:http'
import { acceptEcho } from './websocket.js'

const { PORT = '8080', HOST = '127.0.0.1', GREETING = 'hello', WEIR_RELEASE = null, WEIR_SERVICE = null } = process.env
const address = `${HOST}:${PORT}`

/** Who answers: enough to see from outside how traffic is split. */
function about(request) {
  return {
    message: GREETING,
    service: WEIR_SERVICE,
    release: WEIR_RELEASE,
    track: trackOf(request.headers.baggage),
    replica: `${address}/${process.pid}`,
    address,
  }
}

/** Weir says in `baggage` which release of an app a request belongs to; nothing where no traffic is split. */
function trackOf(baggage = '') {
  return /(?:^|,)\s*weir-track=(\w+)/.exec(baggage)?.[1] ?? 'stable'
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://hello')
  if (pathname === '/healthz') return json(response, { ok: true })
  if (pathname === '/sse') return streamEvents(request, response, Number(searchParams.get('every') ?? 1000))
  if (pathname === '/slow') await new Promise((resolve) => setTimeout(resolve, Number(searchParams.get('ms') ?? 1000)))
  if (request.method === 'POST' || request.method === 'PUT') return json(response, { ...about(request), body: await text(request) })
  if (request.headers.accept?.includes('text/html')) return page(response, about(request))
  json(response, about(request))
})

/** One event per `every` milliseconds until the reader leaves. */
function streamEvents(request, response, every) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  let id = 0
  const send = () => response.write(`id: ${++id}\ndata: ${JSON.stringify(about(request))}\n\n`)
  send()
  const timer = setInterval(send, Math.max(every, 10))
  response.on('close', () => clearInterval(timer))
}

async function text(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function json(response, body) {
  response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}

/** For people: the same as a small page. */
function page(response, about) {
  const rows = Object.entries(about).map(([name, value]) => `<tr><th>${name}</th><td>${escaped(value)}</td></tr>`)
  response
    .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
    .end(`<!doctype html><title>${escaped(about.message)}</title><h1>${escaped(about.message)}</h1><table>${rows.join('')}</table>\n`)
}

function escaped(value) {
  return String(value ?? '–').replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
}

server.on('upgrade', (request, socket) => acceptEcho(request, socket, JSON.stringify(about(request))))
server.listen(Number(PORT), HOST, () => console.log(`hello listens on ${address}`))

process.on('SIGTERM', () => {
  console.log('SIGTERM: finishing what is in flight')
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
