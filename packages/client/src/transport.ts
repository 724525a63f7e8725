import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http'

/** `import 'node:http'` reads every export, and with `WebSocket` loads all of Node's undici: 80 ms of CPU that no command has to spend. */
const http = process.getBuiltinModule('node:http')
const https = () => process.getBuiltinModule('node:https')

/** How requests reach a server: its unix socket, or http(s) with kept connections. */
export interface Transport {
  readonly address: string
  open(method: string, path: string, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<ClientRequest>
  close(): void
}

export function transportTo(address: string): Transport {
  const target = targetOf(address)
  const secure = target.protocol === 'https:'
  let agent: Agent | null = null
  return {
    address,
    async open(method, path, headers, signal) {
      const { Agent: AgentOf, request } = secure ? https() : http
      agent ??= new AgentOf({ keepAlive: true, maxSockets: 64 })
      return request({ ...target, method, path: `${target.prefix}${path}`, headers, agent, ...(signal ? { signal } : {}) })
    },
    close: () => agent?.destroy(),
  }
}

function targetOf(address: string): RequestOptions & { readonly prefix: string } {
  if (address.startsWith('unix:')) return { socketPath: address.slice('unix:'.length), host: 'localhost', protocol: 'http:', prefix: '' }
  const url = new URL(address)
  return { protocol: url.protocol, hostname: url.hostname.replace(/^\[|\]$/g, ''), port: url.port, prefix: url.pathname.replace(/\/$/, '') }
}

/** The answer's head; its body is still to be read. Fails as `LostConnection` when there is none. */
export function responseTo(request: ClientRequest, timeoutMs: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs)
    request.once('response', (response) => {
      clearTimeout(timer)
      resolve(response)
    })
    request.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      reject(new LostConnection(error))
    })
  })
}

/** `neverReached`: there was nobody to send it to, so nothing can have happened. */
export class LostConnection extends Error {
  readonly neverReached: boolean
  constructor(cause: NodeJS.ErrnoException) {
    super(cause.message || cause.code || 'the connection was lost', { cause })
    this.neverReached = ['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EACCES'].includes(cause.code ?? '')
  }
}

/** A JSON answer may not be larger than this. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

export async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > MAX_ANSWER_BYTES) throw new Error(`an answer of over ${MAX_ANSWER_BYTES} bytes`)
      chunks.push(chunk)
    }
  } catch (error) {
    throw new LostConnection(error as NodeJS.ErrnoException)
  }
  return Buffer.concat(chunks).toString('utf8')
}
