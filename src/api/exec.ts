import type { Duplex } from 'node:stream'
import { z } from 'zod'
import { type Channel, controlFrame, frame, frameSplitter } from '../../packages/client/src/exec.ts'
import { WeirError } from '../errors.ts'
import type { EnvironmentDetail } from '../store/queries.ts'
import { checked } from './check.ts'
import { found, labelOf, refOf } from './found.ts'
import type { ExecProcess } from './ports.ts'
import { asWeirError, problemFor } from './problem.ts'
import type { Call, Handlers } from './route.ts'

const PROTOCOL = 'weir-exec'
/** The command must be named soon after the connection was taken over. */
const OPENING_MS = 10_000

const size = { columns: z.int().min(1).max(1000), rows: z.int().min(1).max(1000) }
const opening = z.strictObject({ argv: z.array(z.string().max(10_000)).min(1).max(100), tty: z.strictObject(size).nullable() })
const resizing = z.strictObject({ resize: z.strictObject(size) })

export const exec: Handlers<'exec.open'> = {
  'exec.open': async (call) => {
    if (call.upgrade?.protocol !== PROTOCOL) {
      throw new WeirError('E_USAGE', {
        message: 'this route turns the connection into a stream',
        cause: `there is no \`Upgrade: ${PROTOCOL}\``,
        next: 'weir exec SERVICE -- COMMAND',
      })
    }
    const ref = refOf(call)
    const detail = found(await call.ports.queries.environment(ref), labelOf(ref))
    const replica = await replicaFor(call, detail)
    const { socket, head } = call.upgrade.accept()
    runOn(call, detail.id, replica, socket, head)
    return { exit: { kind: 'unknown' } }
  },
}

/** The one named, or the first that is ready. */
async function replicaFor({ query, ports }: Call<'exec.open'>, { id, state }: EnvironmentDetail): Promise<string> {
  const own = Object.entries(state.replicas).filter(([, it]) => it.service === query.service)
  if (own.length === 0) throw new WeirError('E_NOT_FOUND', { message: `no replica of ${query.service} runs`, next: 'weir ps' })
  if (query.replica !== undefined)
    return found(
      own.find(([it]) => it === query.replica),
      `replica ${query.replica} of ${query.service}`,
      'weir ps',
    )[0]
  const { replicas } = await ports.live.observe(id)
  const ready = replicas.find((it) => it.phase === 'ready' && own.some(([name, { retired }]) => name === it.id && retired === null))
  if (!ready)
    throw new WeirError('E_CONFLICT', {
      message: `no replica of ${query.service} is ready`,
      cause: replicas.find((it) => own.some(([name]) => name === it.id))?.cause ?? 'none is running',
      next: 'weir ps',
    })
  return ready.id
}

/** Joins the connection and the command: input and sizes in, output and the exit out. Whichever ends first ends the other. */
function runOn(call: Call<'exec.open'>, environment: string, replica: string, socket: Duplex, head: Buffer): void {
  let command: ExecProcess | null = null
  let started = false
  /** What was typed before the command had started. */
  const early: ((command: ExecProcess) => void)[] = []
  const give = (input: (command: ExecProcess) => void) => (command ? input(command) : void early.push(input))
  const timer = setTimeout(() => socket.destroy(), OPENING_MS)

  const fail = (error: unknown) => {
    const known = asWeirError(error)
    socket.end(controlFrame({ problem: problemFor(known, `exec in ${replica}`, String(call.headers['x-request-id'] ?? call.ports.random(8))) }))
  }
  const start = async (text: string) => {
    const { argv, tty } = checked('body', opening, JSON.parse(text) as unknown) as z.output<typeof opening>
    const opened = await call.ports.exec.open(environment, { replica, argv, tty })
    if (socket.destroyed) return opened.kill()
    opened.onOutput((stream, chunk) => {
      if (socket.write(frame(stream, chunk)) || socket.destroyed) return
      return new Promise((resolve) => socket.once('drain', resolve).once('close', () => resolve()))
    })
    command = opened
    for (const input of early.splice(0)) input(opened)
    socket.end(controlFrame({ exit: await opened.exit }))
  }
  const receive = (channel: Channel, payload: Buffer) => {
    if (!started) {
      if (channel !== 'control') throw new Error('the first frame must name the command')
      started = true
      clearTimeout(timer)
      start(payload.toString('utf8')).catch(fail)
    } else if (channel === 'stdin') {
      const bytes = Buffer.from(payload)
      give((it) => (bytes.length === 0 ? it.end() : it.write(bytes)))
    } else if (channel === 'control') {
      const message = resizing.safeParse(JSON.parse(payload.toString('utf8')))
      if (message.success) give((it) => it.resize(message.data.resize.columns, message.data.resize.rows))
    }
  }

  const split = frameSplitter(receive)
  const feed = (chunk: Buffer) => {
    try {
      split(chunk)
    } catch (error) {
      socket.destroy(error as Error)
    }
  }
  const close = () => socket.destroy()
  call.closing.addEventListener('abort', close, { once: true })
  socket.on('end', close) // no more input is said by a frame; a closed connection is a terminal that has gone
  socket.on('close', () => {
    clearTimeout(timer)
    call.closing.removeEventListener('abort', close)
    command?.kill()
  })
  if (head.length > 0) feed(head)
  socket.on('data', feed)
}
