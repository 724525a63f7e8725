import type { Duplex } from 'node:stream'
import * as z from 'zod'
import { type Channel, controlFrame, frame, frameSplitter } from '../../packages/client/src/exec.ts'
import type { ExecSession } from '../drivers/exec.ts'
import { WeirError } from '../errors.ts'
import type { EnvironmentDetail } from '../store/queries.ts'
import { checked } from './check.ts'
import { type Input, plainInput, typedInput } from './exec-input.ts'
import { found, labelOf, refOf } from './found.ts'
import { asWeirError, problemFor } from './problem.ts'
import type { Call, Handlers } from './route.ts'

const PROTOCOL = 'weir-exec'
/** The command must be named soon after the connection was taken over. */
const OPENING_MS = 10_000

const size = { columns: z.int().min(1).max(1000), rows: z.int().min(1).max(1000) }
const opening = z.strictObject({ argv: z.array(z.string().max(10_000)).min(1).max(100), tty: z.strictObject(size).nullable() })

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
    runOn(call, replica, socket, head)
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

/** Joins the connection and the command: input in, output and the exit out. Whichever ends first ends the other. */
function runOn(call: Call<'exec.open'>, replica: string, socket: Duplex, head: Buffer): void {
  let session: ExecSession | null = null
  let input: Input | null = null
  const timer = setTimeout(() => socket.destroy(), OPENING_MS)
  /** One frame after the other, each once the one before has been taken. */
  let turn = Promise.resolve()

  const open = async (text: string) => {
    clearTimeout(timer)
    const { argv, tty } = checked('body', opening, JSON.parse(text) as unknown) as z.output<typeof opening>
    await call.write(async (writer) => {
      await writer.recordExec(refOf(call), { service: call.query.service, replica, argv })
      return { exit: { kind: 'unknown' } }
    })
    session = await call.ports.exec.open(replica, argv)
    if (socket.destroyed) return session.close()
    input = tty === null ? plainInput(session) : typedInput(session, (echo) => socket.write(frame('stdout', echo)))
    pump(session, socket).catch(fail)
  }
  const take = async (channel: Channel, payload: Buffer) => {
    if (input) return channel === 'stdin' ? input(payload) : undefined
    if (channel !== 'control') throw new WeirError('E_USAGE', { message: 'the first frame must name the command' })
    return open(payload.toString('utf8'))
  }
  const fail = (error: unknown) => {
    session?.close()
    if (!socket.writableEnded) socket.end(controlFrame({ problem: problemFor(asWeirError(error), `exec in ${replica}`, call.ports.random(8)) }))
  }
  const split = frameSplitter((channel, payload) => {
    const bytes = Buffer.from(payload)
    turn = turn.then(() => take(channel, bytes)).catch(fail)
  })
  const feed = (chunk: Buffer) => {
    try {
      split(chunk)
    } catch (error) {
      socket.destroy(error as Error)
      return
    }
    socket.pause()
    void turn.then(() => socket.resume())
  }
  const close = () => socket.destroy()
  call.closing.addEventListener('abort', close, { once: true })
  socket.on('end', close) // no more input is said by a frame; a closed connection is a terminal that has gone
  socket.on('close', () => {
    clearTimeout(timer)
    call.closing.removeEventListener('abort', close)
    session?.close()
  })
  if (head.length > 0) feed(head)
  socket.on('data', feed)
}

async function pump(session: ExecSession, socket: Duplex): Promise<void> {
  for await (const { stream, bytes } of session.output) {
    if (socket.destroyed) return
    if (!socket.write(frame(stream === 'out' ? 'stdout' : 'stderr', bytes)))
      await new Promise<void>((resolve) => socket.once('drain', resolve).once('close', resolve))
  }
  socket.end(controlFrame({ exit: await session.exit }))
}
