import type { ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import type { ExitStatus } from '../../../core/model/replica.ts'
import { FRAME, frame, frameReader } from '../exec-frames.ts'

const CALLED_WITHIN_MS = 10_000

/** Offers a started command on a socket of its own; whoever connects first has it, and its end kills the command. */
export async function offerExec(child: ChildProcess, path: string, owner: number | null): Promise<void> {
  rmSync(path, { force: true })
  child.stdout?.pause()
  child.stderr?.pause()
  const server = createServer({ pauseOnConnect: false }, (socket) => {
    server.close()
    clearTimeout(timer)
    join(child, socket)
  })
  const timer = setTimeout(() => {
    server.close()
    killGroup(child)
  }, CALLED_WITHIN_MS)
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
  chmodSync(path, 0o600)
  if (owner !== null) chownSync(path, owner, owner)
}

function join(child: ChildProcess, socket: Socket): void {
  for (const [stream, kind] of [
    [child.stdout, FRAME.out],
    [child.stderr, FRAME.err],
  ] as const) {
    stream?.on('data', (bytes: Buffer) => {
      if (socket.write(frame(kind, bytes))) return
      stream.pause()
      socket.once('drain', () => stream.resume())
    })
    stream?.resume()
  }
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
  const end = (exit: ExitStatus) => socket.end(frame(FRAME.exit, Buffer.from(JSON.stringify(exit))))
  child.once('close', (code, signal) => end(signal ? { kind: 'signal', signal } : { kind: 'code', code: code ?? 0 }))
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
