import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Senders } from './senders.ts'
import type { Accepted, Sender } from './window/trace-window.ts'

const MAX_BODY_BYTES = 32 * 1024 * 1024

/**
 * Where the gateway's workers leave their spans. Who may connect is said by the socket's rights; what comes is believed. The answer tells which
 * services send spans of their own, when that is news to the worker.
 */
export function serveGateway(
  path: string,
  parts: {
    readonly accept: (sender: Sender, request: Uint8Array) => Accepted
    readonly senders: Senders
    readonly dropped: (worker: string, count: number) => void
  },
): Promise<Server> {
  rmSync(path, { force: true })
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > MAX_BODY_BYTES) request.destroy()
      else chunks.push(chunk)
    })
    request.on('error', () => {}) // the worker is gone
    request.on('end', () => {
      try {
        const { worker, version, dropped } = deliveryOf(request)
        if (parts.accept('trusted', Buffer.concat(chunks)).malformed) throw new Error('The body is no OTLP.')
        parts.dropped(worker, dropped)
        const answer = version === parts.senders.version ? { version, senders: [] } : parts.senders.list()
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
      } catch (error) {
        response.writeHead(400, { 'content-type': 'text/plain' }).end(String(error))
      }
    })
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      chmodSync(path, 0o660) // the folder gives it its group
      resolve(server)
    })
  })
}

/** What comes beside the spans, in headers. */
interface Delivery {
  /** Which worker: its counts grow. */
  readonly worker: string
  /** Of the list that it has. */
  readonly version: string
  /** Spans that it could not keep or bring, since its start. */
  readonly dropped: number
}

function deliveryOf({ headers }: IncomingMessage): Delivery {
  return { worker: String(headers['x-weir-worker']), version: String(headers['x-weir-senders'] ?? ''), dropped: Number(headers['x-weir-dropped'] ?? 0) }
}
