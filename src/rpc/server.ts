import { chmodSync, chownSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { isWeirError } from '../errors.ts'
import { lineSplitter, type Request } from './protocol.ts'

export type Handlers = Readonly<Record<string, (args: never) => unknown>>

export interface RpcServer {
  /** Tells everyone connected; a peer that is not, hears nothing. */
  emit(event: string, args: unknown): void
  close(): void
}

/**
 * Serves `handlers` on a unix socket that only `owner` (and root) may reach. Replaces a socket file that a dead process left.
 *
 * @example await serveRpc('/var/lib/weir/run/runner.sock', { observe: ({ environment }) => … }, { uid: 1900000001 })
 */
export function serveRpc(path: string, handlers: Handlers, owner: { uid: number } | null): Promise<RpcServer> {
  rmSync(path, { force: true })
  const peers = new Set<Socket>()
  const server: Server = createServer((socket) => {
    peers.add(socket)
    socket.on('error', () => {}) // `close` follows
    socket.on('close', () => peers.delete(socket))
    const split = lineSplitter((line) => void answer(socket, handlers, line))
    socket.on('data', (chunk) => {
      try {
        split(chunk)
      } catch (error) {
        socket.destroy(error as Error)
      }
    })
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      chmodSync(path, 0o600)
      if (owner) chownSync(path, owner.uid, owner.uid)
      resolve({
        emit: (event, args) => {
          const line = `${JSON.stringify({ event, with: args })}\n`
          for (const peer of peers) peer.write(line)
        },
        close: () => {
          server.close()
          for (const peer of peers) peer.destroy()
        },
      })
    })
  })
}

async function answer(socket: Socket, handlers: Handlers, line: string): Promise<void> {
  let id = 0
  try {
    const request = JSON.parse(line) as Request
    id = request.id
    const handler = Object.hasOwn(handlers, request.call) ? handlers[request.call] : undefined
    if (!handler) throw new Error(`unknown call ${request.call}`)
    const ok = await handler(request.with as never)
    socket.write(`${JSON.stringify({ id, ok: ok ?? null })}\n`)
  } catch (error) {
    const failure = isWeirError(error)
      ? { code: error.code, explanation: error.explanation }
      : { code: 'E_INTERNAL', explanation: { message: error instanceof Error ? error.message : String(error) } }
    socket.write(`${JSON.stringify({ id, error: failure })}\n`)
  }
}
