import { closeSync, constants, fchownSync, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { LineCutter } from './lines.ts'
import type { LogFile, LogStream } from './log-file.ts'

/** What is still in the pipes when the process has ended is read within this time, or left. */
const DRAIN_MS = 100
/** More than this a second and the reader pauses; the pipe fills and the writer waits, as it would at a slow terminal. */
const BYTES_PER_SECOND = 8 * 1024 * 1024

/**
 * The reading side of a process's two pipes. The process itself keeps them open for reading and writing, so that the death of a
 * runner gives it no SIGPIPE; the next runner opens them again and reads on.
 */
export class OutputReader {
  readonly #sockets: Socket[]
  readonly #drained: Promise<unknown>

  constructor(fifos: Readonly<Record<LogStream, string>>, log: LogFile) {
    const streams = ['out', 'err'] as const
    this.#sockets = streams.map((stream) => open(fifos[stream], new LineCutter((line) => log.write(stream, line))))
    this.#drained = Promise.all(this.#sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))))
  }

  /** Waits for the last words, then closes. */
  async drain(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await Promise.race([this.#drained, new Promise((resolve) => (timer = setTimeout(resolve, DRAIN_MS)))])
    clearTimeout(timer)
    this.close()
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

function open(fifo: string, cutter: LineCutter): Socket {
  const socket = new Socket({ fd: openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK), readable: true, writable: false })
  let budget = BYTES_PER_SECOND
  let refill: NodeJS.Timeout | null = null
  socket.on('data', (chunk) => {
    cutter.push(chunk)
    budget -= chunk.length
    refill ??= setTimeout(() => {
      refill = null
      budget = BYTES_PER_SECOND
      socket.resume()
    }, 1000).unref()
    if (budget < 0) socket.pause()
  })
  socket.on('error', () => {}) // `close` follows
  socket.on('close', () => {
    if (refill) clearTimeout(refill)
    cutter.end()
  })
  return socket
}

/**
 * Opens the writing side for a process that is about to start, belonging to its account (so that it may also open /dev/stdout).
 * Close them when it has started.
 */
export function openForChild(fifos: Readonly<Record<LogStream, string>>, uid: number | null): { out: number; err: number; close: () => void } {
  const [out, err] = (['out', 'err'] as const).map((stream) => {
    const file = openSync(fifos[stream], constants.O_RDWR)
    if (uid !== null) fchownSync(file, uid, uid)
    return file
  }) as [number, number]
  return {
    out,
    err,
    close: () => {
      closeSync(out)
      closeSync(err)
    },
  }
}
