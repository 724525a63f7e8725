import { Buffer } from 'node:buffer'
import type { Agent, IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { ExporterSettings } from './settings.ts'

const require = createRequire(import.meta.url)

/** Longest wait that a receiver can ask for. */
const MOST_RETRY_AFTER_MS = 30_000

export interface Answer {
  /** 0: none came. */
  readonly status: number
  readonly problem: string | null
  readonly retryAfterMs: number | null
}

export interface Connection {
  /** Never rejects. */
  post(body: Uint8Array, encoding: string | null): Promise<Answer>
  /** One that is connected, to be written to without waiting. */
  openSocket(): Socket | null
  /** The head of a request for that. */
  head(length: number): Uint8Array
}

/** One kept connection to the receiver; it holds no process open. */
export function connect({ url, headers, timeoutMs }: ExporterSettings): Connection {
  const secure = url.protocol === 'https:'
  const { request, Agent: AgentClass } = require(secure ? 'node:https' : 'node:http') as typeof import('node:http')
  const agent: Agent = new AgentClass({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 })
  const standing = { ...headers, 'content-type': 'application/x-protobuf', 'user-agent': 'weir-instrumentation' }

  return {
    post: (body, encoding) =>
      new Promise((resolve) => {
        const failed = (problem: string) => resolve({ status: 0, problem, retryAfterMs: null })
        const encoded = encoding === null ? {} : { 'content-encoding': encoding }
        const post = request(url, { method: 'POST', agent, headers: { ...standing, ...encoded, 'content-length': body.length } })
        const timer = setTimeout(() => post.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
        timer.unref()
        post.on('socket', (socket) => socket.unref())
        post.on('error', (error) => failed(error.message))
        post.on('close', () => (clearTimeout(timer), failed('the connection was closed')))
        post.on('response', (response: IncomingMessage) => {
          response.resume()
          response.on('error', (error) => failed(error.message))
          response.on('end', () => resolve({ status: response.statusCode ?? 0, problem: null, retryAfterMs: retryAfterMs(response) }))
        })
        post.end(body)
      }),
    openSocket() {
      const sockets = [...Object.values(agent.freeSockets), ...Object.values(agent.sockets)].flatMap((it) => it ?? [])
      return sockets.find((socket) => socket.writable && !socket.connecting) ?? null
    },
    head(length) {
      const lines = Object.entries({ host: url.host, ...standing, 'content-length': String(length) }).map(([name, value]) => `${name}: ${value}`)
      return Buffer.from([`POST ${url.pathname}${url.search} HTTP/1.1`, ...lines, '', ''].join('\r\n'), 'latin1')
    },
  }
}

function retryAfterMs(response: IncomingMessage): number | null {
  const seconds = Number(response.headers['retry-after'])
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(MOST_RETRY_AFTER_MS, seconds * 1000) : null
}
