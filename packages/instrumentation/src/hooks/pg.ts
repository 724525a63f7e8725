import type { Scope } from '../scope.ts'
import { KIND, type Span } from '../span.ts'
import { describeStatement } from '../sql.ts'
import type { Tracer } from '../tracer.ts'
import type { Patch } from '../when-loaded.ts'

interface Client {
  readonly host?: unknown
  readonly port?: unknown
  readonly database?: unknown
  readonly connectionParameters?: { readonly host?: unknown; readonly port?: unknown; readonly database?: unknown }
}

type Call = (this: Client, ...args: unknown[]) => unknown
type Callback = (this: unknown, ...args: unknown[]) => unknown
type ClientClass = { prototype: { query: Call } }

/** Statements by node-postgres: client, pool and the native client. Cursors and streams, which submit themselves, are left alone. */
export function pgPatches(tracer: Tracer): readonly (readonly [string, Patch])[] {
  return [
    ['pg/lib/client.js', (client: ClientClass) => patchQuery(tracer, client.prototype)],
    ['pg/lib/native/client.js', (client: ClientClass) => patchQuery(tracer, client.prototype)],
    ['pg-pool/index.js', (pool: { prototype: { connect: Call } }) => patchConnect(tracer, pool.prototype)],
  ]
}

function patchQuery(tracer: Tracer, prototype: { query: Call }): void {
  const query = prototype.query
  prototype.query = function tracedQuery(this: Client, ...args) {
    const scope = begin(tracer, this, args[0])
    if (scope === null) return Reflect.apply(query, this, args)
    const { span } = scope
    const at = args.findIndex((it) => typeof it === 'function')
    if (at !== -1) args[at] = ending(tracer, span, args[at] as Callback)
    try {
      const result = Reflect.apply(query, this, args)
      if (at !== -1 || typeof (result as Promise<unknown> | null)?.then !== 'function') return result
      return (result as Promise<unknown>).then(
        (rows) => {
          span.end()
          return rows
        },
        (error: unknown) => {
          span.failWith(error)
          span.end()
          throw error
        },
      )
    } catch (error) {
      span.failWith(error)
      span.end()
      throw error
    }
  }
}

function begin(tracer: Tracer, client: Client, query: unknown): (Scope & { readonly span: Span }) | null {
  if (tracer.idle) return null
  try {
    const config = query as { readonly text?: unknown; readonly submit?: unknown; readonly callback?: unknown } | null
    const text = typeof query === 'string' ? query : config?.text
    if (typeof text !== 'string' || typeof config?.submit === 'function' || typeof config?.callback === 'function') return null
    const statement = describeStatement(text)
    const scope = tracer.start(KIND.client, statement.summary, tracer.scope)
    const { span } = scope
    if (span === null || span === tracer.scope?.span) return null
    const at = client.connectionParameters ?? client
    span.put('db.system.name', 'postgresql')
    span.put('db.query.text', statement.text)
    span.put('db.operation.name', statement.operation)
    if (typeof at.database === 'string') span.put('db.namespace', at.database)
    if (typeof at.host === 'string') span.put('server.address', at.host)
    if (typeof at.port === 'number') span.put('server.port', at.port)
    return scope as Scope & { readonly span: Span }
  } catch (error) {
    tracer.trouble('pg', error)
    return null
  }
}

/** The answer comes on the connection's events; what the app does with it belongs to who asked. */
function ending(tracer: Tracer, span: Span, callback: Callback): Callback {
  const asker = tracer.scope
  return function tracedCallback(this: unknown, ...args) {
    if (args[0] !== null && args[0] !== undefined) span.failWith(args[0])
    span.end()
    return tracer.scopes.run(asker as Scope, () => Reflect.apply(callback, this, args))
  }
}

/** A pool that is full calls back when somebody else gives a client back: in that one's scope, but for this. */
function patchConnect(tracer: Tracer, prototype: { connect: Call }): void {
  const connect = prototype.connect
  prototype.connect = function tracedConnect(this: Client, ...args) {
    const [callback] = args
    if (typeof callback !== 'function') return Reflect.apply(connect, this, args)
    const asker = tracer.scope
    const bound: Callback = function (this: unknown, ...results) {
      return tracer.scopes.run(asker as Scope, () => Reflect.apply(callback, this, results))
    }
    return Reflect.apply(connect, this, [bound, ...args.slice(1)])
  }
}
