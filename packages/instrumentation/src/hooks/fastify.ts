import { subscribe } from 'node:diagnostics_channel'
import type { Tracer } from '../tracer.ts'
import { setError, setRoute } from './http-server.ts'

interface FastifyRequest {
  readonly raw?: object
  readonly routeOptions?: { readonly url?: unknown }
  /** Up to version 4. */
  readonly routerPath?: unknown
}

interface FastifyInstance {
  addHook(name: 'onRequest', hook: (request: FastifyRequest, reply: unknown, done: () => void) => void): unknown
  addHook(name: 'onError', hook: (request: FastifyRequest, reply: unknown, error: unknown, done: () => void) => void): unknown
}

/** Routes and errors of fastify, which announces each of its instances on a channel. */
export function traceFastify(tracer: Tracer): void {
  subscribe('fastify.initialization', (message) => {
    try {
      const { fastify } = message as { readonly fastify: FastifyInstance }
      fastify.addHook('onRequest', (request, _reply, done) => {
        setRoute(request.raw, request.routeOptions?.url ?? request.routerPath)
        done()
      })
      fastify.addHook('onError', (request, _reply, error, done) => {
        setError(request.raw, error)
        done()
      })
    } catch (error) {
      tracer.trouble('fastify', error)
    }
  })
}
