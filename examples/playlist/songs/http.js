import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** Headers that make a request part of its caller's: which release it belongs to, which trace, and who asks. */
const PASSED_ON = ['baggage', 'traceparent', 'tracestate', 'authorization']

/** To try what a slow service does to the others: each request waits (SLOW_MS) or computes (BUSY_MS) this long first. */
const SLOW_MS = Number(process.env.SLOW_MS ?? 0)
const BUSY_MS = Number(process.env.BUSY_MS ?? 0)

/** An answer other than 200, thrown from a handler. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

/**
 * Serves JSON at `PORT`. Handlers by method and path get `{ params, query, body, token, call }` and return the answer (a Buffer is a page);
 * `call(url, { method, body })` asks another service on behalf of the same request.
 *
 * @example serve({ 'GET /songs/:id': ({ params }) => find(params.id) })
 */
export function serve(handlers) {
  const routes = Object.entries({ 'GET /healthz': () => ({ ok: true }), ...handlers }).map(([route, handle]) => {
    const [method, path] = route.split(' ')
    return { method, pattern: new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`), handle }
  })
  const server = createServer(async (request, response) => {
    try {
      const { pathname, searchParams } = new URL(request.url, 'http://service')
      const route = routes.find((it) => it.method === request.method && it.pattern.test(pathname))
      if (!route) throw new Refusal(404, `no ${request.method} ${pathname}`)
      if (pathname !== '/healthz') await linger()
      const body = await readJson(request)
      const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? null
      const answer = await route.handle({ params: route.pattern.exec(pathname).groups ?? {}, query: searchParams, body, token, call: caller(request) })
      reply(response, 200, answer)
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error)
      reply(response, error.status ?? 500, { error: error.message })
    }
  })
  const { PORT = '8080', HOST = '127.0.0.1' } = process.env
  server.listen(Number(PORT), HOST, () => console.log(`listens on ${HOST}:${PORT}`))
  process.on('SIGTERM', () => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  })
}

async function linger() {
  if (SLOW_MS > 0) await sleep(SLOW_MS)
  for (const until = performance.now() + BUSY_MS; performance.now() < until; );
}

function caller(request) {
  const headers = Object.fromEntries(PASSED_ON.flatMap((name) => (request.headers[name] ? [[name, request.headers[name]]] : [])))
  return async (url, { method = 'GET', body } = {}) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' }
    const response = await fetch(url, { method, headers: { ...headers, ...json }, body: JSON.stringify(body), signal: AbortSignal.timeout(5000) })
    const answer = await response.json()
    if (!response.ok) throw new Refusal(response.status, answer.error)
    return answer
  }
}

async function readJson(request) {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > 100_000) throw new Refusal(413, 'the body is too large')
  }
  try {
    return text === '' ? {} : JSON.parse(text)
  } catch {
    throw new Refusal(400, 'the body is no JSON')
  }
}

function reply(response, status, answer) {
  if (Buffer.isBuffer(answer)) response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end(answer)
  else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? null))
}
