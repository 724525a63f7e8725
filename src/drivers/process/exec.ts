import { connect, type Socket } from 'node:net'
import type { Argv } from '../../core/model/app-graph.ts'
import type { Epoch } from '../../core/model/epoch.ts'
import type { ExitStatus } from '../../core/model/replica.ts'
import { RpcClient } from '../../rpc/client.ts'
import type { Exec, ExecSession } from '../exec.ts'
import { FRAME, frame, frameReader } from './exec-frames.ts'

type Output = { stream: 'out' | 'err'; bytes: Uint8Array }
/** More than this unread, and the command has to wait. */
const MAX_HELD = 1024 * 1024

/** Commands inside of replicas by asking the runner; each session has a socket of its own. */
export class RunnerExec implements Exec {
  readonly #runner: RpcClient

  readonly #epoch: () => Promise<Epoch>

  /** `epoch`: the one that the store knows now; whoever slept over its end is refused. */
  constructor(runnerSocket: string, epoch: () => Promise<Epoch>) {
    this.#runner = new RpcClient(runnerSocket)
    this.#epoch = epoch
  }

  async open(replica: string, argv: Argv): Promise<ExecSession> {
    const epoch = await this.#epoch()
    const { socket } = (await this.#runner.call('exec', { id: replica, argv, epoch })) as { socket: string }
    return session(connect(socket))
  }

  close(): void {
    this.#runner.close()
  }
}

function session(socket: Socket): ExecSession {
  const held: Output[] = []
  let heldBytes = 0
  let ended = false
  let wake = () => {}
  const exit = Promise.withResolvers<ExitStatus>()
  let known: ExitStatus = { kind: 'unknown' }
  const read = frameReader((kind, bytes) => {
    if (kind === FRAME.exit) {
      known = JSON.parse(bytes.toString()) as ExitStatus
      return
    }
    held.push({ stream: kind === FRAME.out ? 'out' : 'err', bytes: Uint8Array.from(bytes) })
    heldBytes += bytes.length
    if (heldBytes > MAX_HELD) socket.pause()
  })
  socket.on('data', (chunk) => {
    read(chunk)
    wake()
  })
  socket.on('error', () => {}) // `close` follows
  socket.on('close', () => {
    ended = true
    exit.resolve(known)
    wake()
  })
  return {
    exit: exit.promise,
    output: (async function* () {
      for (;;) {
        for (let next = held.shift(); next; next = held.shift()) {
          heldBytes -= next.bytes.length
          if (heldBytes <= MAX_HELD) socket.resume()
          yield next
        }
        if (ended) return
        await new Promise<void>((resolve) => (wake = resolve))
      }
    })(),
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(frame(FRAME.input, bytes), (error) => (error ? reject(error) : resolve()))
      }),
    endInput: () => void socket.write(frame(FRAME.endOfInput, new Uint8Array())),
    signal: (signal) => void socket.write(frame(FRAME.signal, Buffer.from(signal))),
    close: () => socket.destroy(),
  }
}
