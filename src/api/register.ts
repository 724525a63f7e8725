import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { CONTRACT, type RouteSchemas } from '../../packages/client/src/contract.ts'
import { ROUTES, type RouteEntry, type RouteId } from '../../packages/client/src/routes.ts'
import { WeirError } from '../errors.ts'
import type { Principal } from '../identity/principal.ts'
import { access } from './access.ts'
import { asSeenFrom } from './addresses.ts'
import { addressOf, askerOf, tenantOf } from './asker.ts'
import { checked, checkedPath } from './check.ts'
import type { ApiContext } from './context.ts'
import { problemFor } from './problem.ts'
import { RetryLater } from './rate.ts'
import type { Call, Handler, Handlers, ServerEvent } from './route.ts'
import { writeEvents } from './sse.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    route?: RouteId
  }
  interface FastifyRequest {
    asker: { readonly principal: Principal | null; readonly tenant: string; readonly id: string }
    gone: AbortController
  }
}

/** Routes whose attempts are counted by address, because guessing is what they are good for. */
const GUESSABLE: ReadonlySet<RouteId> = new Set<RouteId>(['identity.login', 'accounts.create'])

/** Registers exactly the routes of the contract. A route that is not in it, and so has no policy, stops the start. */
export function registerRoutes(app: FastifyInstance, context: ApiContext, handlers: Handlers<RouteId>): void {
  app.addHook('onRoute', (route) => {
    const id = route.config?.route
    if (id === undefined || !(ROUTES[id] as RouteEntry | undefined)?.verb) throw new Error(`route without a policy: ${String(route.method)} ${route.url}`)
  })
  for (const [id, entry] of Object.entries(ROUTES) as [RouteId, RouteEntry][]) {
    app.route({
      method: entry.method,
      url: entry.path.replace(/\{(\w+)\}/g, ':$1'),
      config: { route: id },
      onRequest: async (request) => admit(context, id, entry, request),
      handler: async (request, reply) => answer(context, id, entry, handlers[id] as Handler<RouteId>, request, reply),
    })
  }
}

/** Before the body is read: who asks, how often, and may they. */
async function admit(context: ApiContext, id: RouteId, entry: RouteEntry, request: FastifyRequest): Promise<void> {
  const principal = await askerOf(request.raw, context.local, context.ports.identity, context.attempts)
  const asker = principal?.id ?? `address:${addressOf(request.raw)}`
  if (principal?.id !== 'local') {
    const wait = context.rate.take(asker) ?? (GUESSABLE.has(id) ? context.attempts.take(asker) : null)
    if (wait !== null) throw new RetryLater(wait)
  }
  const tenant = tenantOf(principal, request.headers['weir-tenant'], context.options.defaultTenant)
  request.asker = { principal, tenant, id: asker }

  const { app, environment } = request.params as { app?: string; environment?: string }
  switch (access(principal, { route: id, verb: entry.verb, tenant, app, environment })) {
    case 'allowed':
      return
    case 'unauthenticated':
      throw new WeirError('E_UNAUTHENTICATED', { message: 'a token is needed', cause: 'the request carries no `Authorization: Bearer TOKEN`' })
    case 'forbidden':
      throw new WeirError('E_FORBIDDEN', {
        message: `this token may not do that`,
        cause:
          principal?.environment && environment !== undefined && principal.environment !== `${app}/${environment}`
            ? `it works in ${principal.environment} only`
            : `it lacks ${entry.verb}`,
      })
    case 'hidden':
      throw new WeirError('E_NOT_FOUND', { message: app === undefined ? `no tenant ${JSON.stringify(tenant)}` : `no app ${JSON.stringify(app)}` })
  }
}

async function answer(
  context: ApiContext,
  id: RouteId,
  entry: RouteEntry,
  handler: Handler<RouteId>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const call = callOf(context, id, entry, request, reply)
  if (entry.stream === 'sse') return stream(context, call, handler, request, reply)
  const result = await handler(call)
  if (entry.stream === 'upgrade') return reply.hijack()
  void reply.code(entry.status)
  return entry.stream === 'text' ? reply.type('text/plain; version=0.0.4; charset=utf-8').send(result) : reply.send(result)
}

async function stream(context: ApiContext, call: Call<RouteId>, handler: Handler<RouteId>, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const free = context.streams.open(request.asker.id)
  try {
    const events = (await handler(call)) as unknown as AsyncIterable<ServerEvent<unknown>>
    reply.hijack()
    const problem = (error: unknown) => {
      context.report(request.id, error)
      return problemFor(error, `${request.method} ${request.url}`, request.id)
    }
    for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value as string)
    await writeEvents(reply.raw, events, { heartbeatMs: context.options.limits.heartbeatMs, signal: call.signal, problem })
    return reply
  } finally {
    free()
  }
}

function callOf(context: ApiContext, id: RouteId, entry: RouteEntry, request: FastifyRequest, reply: FastifyReply): Call<RouteId> {
  const schemas: RouteSchemas = CONTRACT[id]
  const isUpload = entry.stream === 'upload'
  const makes = entry.method === 'PUT' || entry.method === 'POST'
  const params = checkedPath(schemas.params, request.params, makes)
  const query = checked('query', schemas.query, request.query)
  const body = isUpload || entry.method === 'GET' ? undefined : checked('body', schemas.body, request.body)
  const { principal, tenant } = request.asker
  return {
    principal,
    tenant,
    params: params as never,
    query: query as never,
    body: body as never,
    headers: request.headers,
    raw: request.raw,
    ports: context.ports,
    options: { ...context.options, gateway: asSeenFrom(context.options.gateway, request.raw.socket.localAddress) },
    metrics: context.metrics,
    upgrade: context.upgrades.get(request.raw) ?? null,
    signal: AbortSignal.any([request.gone.signal, context.closing.signal]),
    closing: context.closing.signal,
    setHeader: (name, value) => void reply.header(name, value),
    async write(work) {
      const idempotency = idempotencyOf(request)
      const written = await context.ports.writes.transaction({ by: principal?.name ?? 'anonymous', scope: request.asker.id, idempotency }, async (write) => ({
        status: entry.status,
        body: await work(write),
      }))
      if (written.replayed) void reply.header('idempotency-replayed', 'true')
      return written.body as never
    },
  }
}

function idempotencyOf(request: FastifyRequest): { key: string; fingerprint: string } | null {
  const key = request.headers['idempotency-key']
  if (key === undefined) return null
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(key)) {
    throw new WeirError('E_USAGE', { message: 'the Idempotency-Key cannot be used', cause: 'it must be 1 to 200 visible ASCII characters' })
  }
  const { tenant } = request.asker
  const about = JSON.stringify([request.method, request.url, tenant, request.headers['if-match'] ?? null, request.body ?? null])
  return { key, fingerprint: createHash('sha256').update(about).digest('hex') }
}
