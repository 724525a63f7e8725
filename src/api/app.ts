import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ROUTES, type RouteEntry, type RouteId } from '../../packages/client/src/routes.ts'
import { WeirError } from '../errors.ts'
import type { ApiContext } from './context.ts'
import { HANDLERS } from './handlers.ts'
import { asWeirError, problemFor } from './problem.ts'
import { RetryLater } from './rate.ts'
import { registerRoutes } from './register.ts'

/** The HTTP application without any listener: routes, refusals, and headers that every answer has. */
export async function apiApp(context: ApiContext): Promise<FastifyInstance> {
  const { default: fastify } = await import('fastify') // a bundle knows no other name of it
  const { limits } = context.options
  const app = fastify({
    logger: false,
    schemaController: { compilersFactory: NO_COMPILERS },
    bodyLimit: limits.jsonBytes,
    exposeHeadRoutes: false,
    genReqId: () => context.ports.random(8),
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error, request, reply) => {
      const problem = problemFor(asWeirError(error), `${request.method} ${request.url.slice(0, 200)}`, request.id)
      reply.raw.writeHead(problem.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem))
    },
  })
  app.removeContentTypeParser('text/plain')
  app.addContentTypeParser('application/x-tar', (_request, payload, done) => done(null, payload))
  app.decorateRequest('asker')
  app.decorateRequest('gone')

  app.addHook('onRequest', async (request, reply) => {
    request.gone = new AbortController()
    reply.raw.on('close', () => request.gone.abort())
    void reply.headers({ 'weir-request-id': request.id, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    refuseSlowBody(request, limits.requestMs)
    refuseDoubledHeaders(request)
    refuseForeignOrigin(request)
  })
  app.addHook('onResponse', async (request, reply) => {
    context.metrics.observe(request.routeOptions.config?.route ?? 'none', reply.statusCode, reply.elapsedTime)
  })
  app.setErrorHandler((error, request, reply) => {
    const known = asWeirError(error)
    context.report(request.id, known)
    const problem = problemFor(known, `${request.method} ${request.url.slice(0, 200)}`, request.id)
    if (known instanceof RetryLater) void reply.header('retry-after', String(known.retryAfterSeconds))
    else if (problem.status === 503) void reply.header('retry-after', '1')
    else if (problem.status === 429) void reply.header('retry-after', '60')
    if (problem.status === 413) void reply.header('connection', 'close')
    if (problem.status === 401) void reply.header('www-authenticate', 'Bearer realm="weir"')
    void reply.code(problem.status).type('application/problem+json').send(problem)
  })
  app.setNotFoundHandler((request, reply) => {
    const allowed = methodsAt(request.url)
    if (allowed.length > 0) {
      void reply.header('allow', allowed.join(', '))
      throw new WeirError('E_METHOD', { message: `${request.method} is not possible here`, cause: `this route knows ${allowed.join(', ')}` })
    }
    throw new WeirError('E_NOT_FOUND', { message: 'no such route', cause: `${request.method} ${request.url.slice(0, 200)}`, next: 'see /api/v1/openapi.json' })
  })
  registerRoutes(app, context, HANDLERS)
  return app
}

const MAX_PARAM_LENGTH = 200

/** What comes in is checked by the contract (check.ts). Without these, Fastify loads two compilers of JSON Schema when it starts: 3 MiB. */
const NO_COMPILERS = { buildValidator: noSchema, buildSerializer: noSchema }
function noSchema(): never {
  throw new Error('a route with a JSON Schema of its own: the contract is what checks')
}

const PATTERNS = (Object.values(ROUTES) as RouteEntry[]).map(({ method, path }) => ({
  method,
  pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
}))
function methodsAt(url: string): string[] {
  const path = url.split('?')[0] as string
  return PATTERNS.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)
}

/** A body that trickles in holds a connection; only uploads may take their time. */
function refuseSlowBody(request: FastifyRequest, ms: number): void {
  const id: RouteId | undefined = request.routeOptions.config?.route
  if (request.method === 'GET' || id === 'uploads.create') return
  const timer = setTimeout(() => request.raw.complete || request.raw.destroy(), ms)
  timer.unref()
  request.raw.once('close', () => clearTimeout(timer))
  request.raw.once('end', () => clearTimeout(timer))
}

/** Two of these, and two programs on the way may each believe another. */
const SINGLE = ['authorization', 'content-length', 'content-type', 'host', 'idempotency-key', 'if-match', 'transfer-encoding', 'weir-tenant']
function refuseDoubledHeaders(request: FastifyRequest): void {
  const seen = new Set<string>()
  const raw = request.raw.rawHeaders
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase()
    if (!SINGLE.includes(name)) continue
    if (seen.has(name)) throw new WeirError('E_USAGE', { message: `the header ${name} came twice` })
    seen.add(name)
  }
}

/** No cookie is ever read, so a foreign page has nothing to ride on; a browser that tries is refused all the same. */
function refuseForeignOrigin(request: FastifyRequest): void {
  const { origin, host } = request.headers
  if (request.method === 'GET' || origin === undefined) return
  if (!URL.canParse(origin) || new URL(origin).host !== host)
    throw new WeirError('E_FORBIDDEN', { message: 'changes from another web page are refused', cause: `Origin ${origin.slice(0, 100)}` })
}
