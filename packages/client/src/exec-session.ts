import type { ClientRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ExecCommand, ExecSession } from './client.ts'
import { ClientError, problemOf } from './client-error.ts'
import { controlFrame, frame, frameSplitter } from './exec.ts'
import { LostConnection, textOf } from './transport.ts'

type Exit = Awaited<ExecSession['exit']>
type Output = { readonly stream: 'stdout' | 'stderr'; readonly chunk: Buffer }

/** Turns an upgrade request into a running command; a refusal is the server's problem document. */
export function execOver(request: ClientRequest, command: ExecCommand, timeoutMs: number): Promise<ExecSession> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs)
    request.once('upgrade', (_response, socket, head) => {
      clearTimeout(timer)
      resolve(sessionOn(socket, head, command))
    })
    request.once('response', (response) => {
      clearTimeout(timer)
      textOf(response).then((body) => reject(problemOf(response.statusCode ?? 0, body)), reject)
    })
    request.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      reject(new LostConnection(error))
    })
    request.end()
  })
}

function sessionOn(socket: Duplex, head: Buffer, command: ExecCommand): ExecSession {
  const queue: Output[] = []
  let wake: (() => void) | null = null
  let over = false
  const exit = Promise.withResolvers<Exit>()
  exit.promise.catch(() => {}) // whoever waits for it hears of it; nobody has to

  const split = frameSplitter((channel, payload) => {
    if (channel === 'stdout' || channel === 'stderr') queue.push({ stream: channel, chunk: Buffer.from(payload) })
    else if (channel === 'control') {
      const message = JSON.parse(payload.toString('utf8')) as { exit?: Exit; problem?: { status: number } }
      if (message.exit) exit.resolve(message.exit)
      else if (message.problem) exit.reject(problemOf(message.problem.status, JSON.stringify(message.problem)))
      over = true
    }
    wake?.()
  })
  const receive = (chunk: Buffer) => {
    try {
      split(chunk)
    } catch (error) {
      socket.destroy(error as Error)
    }
  }
  socket.on('error', () => {}) // `close` follows
  socket.on('close', () => {
    over = true
    exit.reject(
      new ClientError({
        code: 'E_UNAVAILABLE',
        status: 0,
        exit: 1,
        explanation: { message: 'the connection was lost; the command may still run', next: 'weir ps' },
      }),
    )
    wake?.()
  })
  socket.write(controlFrame(command))
  if (head.length > 0) receive(head)
  socket.on('data', receive)

  return {
    output: {
      async *[Symbol.asyncIterator]() {
        for (;;) {
          const next = queue.shift()
          if (next) yield next
          else if (over) return
          else await new Promise<void>((resolve) => (wake = resolve))
        }
      },
    },
    write: (chunk) => void socket.write(frame('stdin', chunk)),
    end: () => void socket.write(frame('stdin', new Uint8Array())),
    resize: (columns, rows) => void socket.write(controlFrame({ resize: { columns, rows } })),
    exit: exit.promise,
    close: () => socket.destroy(),
  }
}
