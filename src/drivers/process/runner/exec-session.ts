import type { ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import type { ExitStatus } from '../../../core/model/replica.ts'
import { FRAME, frame, frameReader } from '../exec-frames.ts'

const CALLED_WITHIN_MS = 10_000

/** Offers a started command on a socket of its own; whoever connects first has it, and its end kills the command. */
export async function offerExec(child: ChildProcess, path: string, owner: number | null): Promise<void> {
  const giveTo = outputOf(child)
  rmSync(path, { force: true })
  const server = createServer({ pauseOnConnect: false }, (socket) => {
    server.close()
    clearTimeout(timer)
    join(child, socket)
    giveTo(socket)
  })
  const timer = setTimeout(() => {
    server.close()
    killGroup(child)
  }, CALLED_WITHIN_MS)
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
  chmodSync(path, 0o600)
  if (owner !== null) chownSync(path, owner, owner)
}

/**
 * What the command prints and how it ends, heard from its first moment on: it may be over before anybody is there to be told. Returns the
 * way to tell; until then output waits in the pipes (when a command ends, Node empties them).
 */
function outputOf(child: ChildProcess): (socket: Socket) => void {
  const held: Buffer[] = []
  let socket: Socket | null = null
  let exit: Buffer | null = null
  const streams = [
    [child.stdout, FRAME.out],
    [child.stderr, FRAME.err],
  ] as const
  for (const [stream, kind] of streams) {
    stream?.pause()
    stream?.on('data', (bytes: Buffer) => {
      if (socket === null) return void held.push(frame(kind, bytes))
      if (socket.write(frame(kind, bytes))) return
      stream.pause()
      socket.once('drain', () => stream.resume())
    })
  }
  child.once('close', (code, signal) => {
    const status: ExitStatus = signal ? { kind: 'signal', signal } : { kind: 'code', code: code ?? 0 }
    exit = frame(FRAME.exit, Buffer.from(JSON.stringify(status)))
    socket?.end(exit)
  })
  return (to) => {
    socket = to
    for (const bytes of held) to.write(bytes)
    if (exit !== null) return void to.end(exit)
    for (const [stream] of streams) stream?.resume()
  }
}

function join(child: ChildProcess, socket: Socket): void {
  const read = frameReader((kind, bytes) => {
    if (kind === FRAME.input && child.stdin?.write(Buffer.from(bytes)) === false) pauseUntilDrained(socket, child)
    if (kind === FRAME.endOfInput) child.stdin?.end()
    if (kind === FRAME.signal) killGroup(child, bytes.toString() as NodeJS.Signals)
  })
  socket.on('data', (chunk) => {
    try {
      read(chunk)
    } catch {
      socket.destroy()
    }
  })
  child.stdin?.on('error', () => {}) // a command that reads no input closes it: its exit says the rest
  socket.on('error', () => {}) // `close` follows
  socket.on('close', () => killGroup(child))
}

function pauseUntilDrained(socket: Socket, child: ChildProcess): void {
  socket.pause()
  child.stdin?.once('drain', () => socket.resume())
}

/** It was started as the leader of a group of its own. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // it has ended, or it is no signal's name
  }
}
