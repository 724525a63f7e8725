import { traceChannel } from '../channels.ts'
import type { Scope } from '../scope.ts'
import { KIND } from '../span.ts'
import type { Tracer } from '../tracer.ts'
import type { Patch } from '../when-loaded.ts'

/** What a client says by itself when it connects; nobody waits for it. */
const HANDSHAKE = new Set(['HELLO', 'AUTH', 'CLIENT', 'SELECT', 'INFO', 'READONLY'])

type Call = (this: unknown, ...args: unknown[]) => unknown

interface Address {
  readonly host?: unknown
  readonly port?: unknown
}

/** Commands by `redis` (4 and later) and `ioredis` (4 and later): their names, never their keys or values. */
export function redisPatches(tracer: Tracer): readonly (readonly [string, Patch])[] {
  let announces = false
  const ioredis: Patch = ({ default: Redis }: { readonly default: { prototype: { sendCommand: Call } } }) => patchIoredis(tracer, Redis.prototype)
  return [
    ['ioredis/built/Redis.js', ioredis],
    ['ioredis/built/redis/index.js', ioredis],
    // From 5.12 on it announces its commands; the older ones are seen where they wait to be sent, which knows no address.
    ['@redis/client/dist/lib/client/tracing.js', () => void (announces = true)],
    [
      '@redis/client/dist/lib/client/commands-queue.js',
      ({ default: Queue }: { readonly default: { prototype: { addCommand: Call } } }) => patchQueue(tracer, Queue.prototype, () => announces),
    ],
  ]
}

interface Told {
  readonly command?: unknown
  readonly batchMode?: unknown
  readonly serverAddress?: unknown
  readonly serverPort?: unknown
}

export function traceNodeRedis(tracer: Tracer): void {
  const address = ({ serverAddress, serverPort }: Told) => ({ host: serverAddress, port: serverPort })
  traceChannel<Told>(tracer, { channel: 'node-redis:command', begin: (told) => begin(tracer, told.command, address(told)) })
  traceChannel<Told>(tracer, {
    channel: 'node-redis:batch',
    begin: (told) => (told.batchMode === 'MULTI' ? begin(tracer, told.batchMode, address(told)) : null), // a pipeline's commands are announced one by one
  })
}

function begin(tracer: Tracer, command: unknown, { host, port }: Address): Scope | null {
  const name = String(command).toUpperCase().slice(0, 32)
  if (HANDSHAKE.has(name)) return null
  const scope = tracer.start(KIND.client, name, tracer.scope)
  const { span } = scope
  if (span === null || span === tracer.scope?.span) return null
  span.put('db.system.name', 'redis')
  span.put('db.operation.name', name)
  if (typeof host === 'string') span.put('server.address', host)
  if (typeof port === 'number') span.put('server.port', port)
  return scope
}

function patchQueue(tracer: Tracer, prototype: { addCommand: Call }, announces: () => boolean): void {
  const addCommand = prototype.addCommand
  prototype.addCommand = function tracedCommand(this: unknown, ...args) {
    const result = Reflect.apply(addCommand, this, args)
    if (announces() || tracer.idle || !(result instanceof Promise)) return result
    const span = begin(tracer, (args[0] as readonly unknown[] | undefined)?.[0], {})?.span
    if (span === undefined || span === null) return result
    return result.then(
      (value: unknown) => {
        span.end()
        return value
      },
      (error: unknown) => {
        span.failWith(error)
        span.end()
        throw error
      },
    )
  }
}

const SEEN = Symbol('weir.seen')

interface IoredisCommand {
  readonly name?: unknown
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
  [SEEN]?: boolean
}

/** A command ends by its own two functions; its promise is the app's alone, so that a rejection nobody handles stays one. */
function patchIoredis(tracer: Tracer, prototype: { sendCommand: Call }): void {
  const sendCommand = prototype.sendCommand
  prototype.sendCommand = function tracedCommand(this: unknown, ...args) {
    const command = args[0] as IoredisCommand
    if (tracer.idle || typeof command?.resolve !== 'function' || command[SEEN] === true) return Reflect.apply(sendCommand, this, args)
    command[SEEN] = true // it comes again where it had to wait for the connection
    try {
      const span = begin(tracer, command.name, (this as { readonly options?: Address }).options ?? {})?.span ?? null
      const { resolve, reject } = command
      if (span !== null) {
        command.resolve = (value) => {
          span.end()
          resolve(value)
        }
        command.reject = (error) => {
          span.failWith(error)
          span.end()
          reject(error)
        }
      }
    } catch (error) {
      tracer.trouble('ioredis', error)
    }
    return Reflect.apply(sendCommand, this, args)
  }
}
