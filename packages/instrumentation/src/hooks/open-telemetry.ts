import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Scope } from '../scope.ts'
import { type Attributes, type Kind, Span, type SpanLink, type TimeInput } from '../span.ts'
import type { Tracer } from '../tracer.ts'

/** Where all copies of the OpenTelemetry API meet, by its internal/global-utils. */
const KEY = Symbol.for('opentelemetry.js.api.1')
/** As `createContextKey` makes it: equal for all copies. */
const SPAN = Symbol.for('OpenTelemetry Context Key SPAN')
/** Every copy of major version 1 accepts one that is newer than itself. */
const ANY_VERSION = '1.999.0'

interface ApiContext {
  getValue(key: symbol): unknown
  setValue(key: symbol, value: unknown): ApiContext
  deleteValue(key: symbol): ApiContext
}

interface SpanContext extends SpanLink {
  readonly traceFlags?: number
  readonly traceState?: { serialize?(): string }
}

interface ApiSpan {
  spanContext(): SpanContext
}

interface SpanOptions {
  readonly kind?: number
  readonly attributes?: Attributes
  readonly links?: readonly { readonly context: SpanLink }[]
  readonly startTime?: TimeInput
  readonly root?: boolean
}

type Work = (this: unknown, ...args: never[]) => unknown

interface TracerProvider {
  getTracer(name: string, version?: string, options?: unknown): { startSpan(...args: unknown[]): unknown; startActiveSpan(...args: unknown[]): unknown }
}

/** True when the app's own SDK is there already, from a file that was loaded before this one. */
export function hasSdk(): boolean {
  return (globalThis as { [KEY]?: { trace?: unknown } })[KEY]?.trace !== undefined
}

/**
 * Stands where an SDK would register with the OpenTelemetry API, so that spans an app makes by the API alone are part of the trace.
 * It gives way: an SDK that registers finds the place empty, gets it, and the instrumentation stands by.
 *
 * The API looks at `globalThis[KEY]`. To use something it reads `version` and then, say, `trace`. To register it assigns the object to its own
 * place again, wants `trace` to be empty and `version` to be its own, and sets `trace`: the assignment tells the one from the other.
 */
export function joinOpenTelemetry(tracer: Tracer): void {
  const before = (globalThis as { [KEY]?: { version?: string } })[KEY]
  const api: Record<string, unknown> = { ...before }
  let version = before?.version ?? ANY_VERSION
  let registering = false
  let provider: TracerProvider | null = null

  const contexts = new ContextManager(tracer)
  const joined = new JoinedProvider(tracer, contexts, () => provider)
  Object.defineProperty(api, 'version', {
    configurable: true,
    enumerable: true,
    get: () => {
      registering = false
      return version
    },
  })
  const give = (name: string, value: unknown, onTaken: (instance: unknown) => void) =>
    Object.defineProperty(api, name, {
      configurable: true,
      enumerable: true,
      get: () => (registering || tracer.standsBy ? undefined : value),
      set: (instance: unknown) => {
        Object.defineProperty(api, name, { value: instance, configurable: true, enumerable: true, writable: true })
        onTaken(instance)
      },
    })
  give('context', contexts, () => {})
  give('trace', joined, (instance) => {
    provider = instance as TracerProvider
    tracer.standBy()
  })
  Object.defineProperty(globalThis, KEY, {
    configurable: true,
    enumerable: false,
    get: () => api,
    set: (value: unknown) => {
      if (value !== api) return Object.defineProperty(globalThis, KEY, { value, configurable: true, writable: true })
      registering = true
      version = versionOfCaller() ?? version
      return undefined
    },
  })
}

/** The version of the copy of the API whose code is two calls above: it registers only with its equal. */
function versionOfCaller(): string | null {
  const [, folder] = /(?:\(|at )((?:file:\/\/)?\/[^\n]*\/node_modules\/@opentelemetry\/api\/)/.exec(new Error('where').stack ?? '') ?? []
  if (folder === undefined) return null
  try {
    const path = folder.startsWith('file:') ? fileURLToPath(folder) : folder
    return (JSON.parse(readFileSync(`${path}package.json`, 'utf8')) as { version?: string }).version ?? null
  } catch {
    return null
  }
}

class JoinedContext implements ApiContext {
  readonly #values: ReadonlyMap<symbol, unknown>

  constructor(values: ReadonlyMap<symbol, unknown>) {
    this.#values = values
  }

  getValue(key: symbol): unknown {
    return this.#values.get(key)
  }

  setValue(key: symbol, value: unknown): ApiContext {
    return new JoinedContext(new Map([...this.#values, [key, value]]))
  }

  deleteValue(key: symbol): ApiContext {
    return new JoinedContext(new Map([...this.#values].filter(([it]) => it !== key)))
  }
}

const ROOT = new JoinedContext(new Map())

/** Scope and context are two views of one thing: each is made from the other when it is asked for. */
class ContextManager {
  readonly #tracer: Tracer

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  active(): ApiContext {
    const { scope } = this.#tracer
    if (scope === undefined) return ROOT
    scope.context ??= scope.traceId === '' ? ROOT : ROOT.setValue(SPAN, scope.span ?? new UnrecordedSpan(scope))
    return scope.context as ApiContext
  }

  with(context: ApiContext, work: Work, thisArgument?: unknown, ...args: never[]): unknown {
    return this.#tracer.scopes.run(this.scopeOf(context), () => Reflect.apply(work, thisArgument, args))
  }

  bind(context: ApiContext, target: unknown): unknown {
    if (typeof target !== 'function') return target
    const run = (thisArgument: unknown, args: never[]) => this.with(context, target as Work, thisArgument, ...args)
    return function bound(this: unknown, ...args: never[]) {
      return run(this, args)
    }
  }

  enable(): this {
    return this
  }

  disable(): this {
    return this
  }

  /** The scope with the context's span; what is carried beside the trace is that of the work at hand. */
  scopeOf(context: ApiContext): Scope {
    const current = this.#tracer.scope
    if (current?.context === context) return current
    const value = context.getValue(SPAN) as ApiSpan | undefined
    const baggage = current?.baggage ?? ''
    const { traceId, spanId, traceFlags = 0, traceState } = value?.spanContext() ?? { traceId: '', spanId: '' }
    const same = traceId !== '' && current?.traceId === traceId
    const tracestate = same ? current.tracestate : (traceState?.serialize?.() ?? '')
    const scope = new Scope(traceId, spanId, (traceFlags & 1) === 1, tracestate, baggage, same ? current.b3 : null, value instanceof Span ? value : null)
    scope.context = context
    return scope
  }
}

/** Someone else's span, or one of a trace that is not recorded. */
class UnrecordedSpan implements ApiSpan {
  readonly #scope: Scope

  constructor(scope: Scope) {
    this.#scope = scope
  }

  spanContext(): SpanContext {
    const { traceId, spanId, sampled } = this.#scope
    return { traceId: traceId.padStart(32, '0'), spanId: spanId.padStart(16, '0'), traceFlags: sampled ? 1 : 0 }
  }

  isRecording = () => false
  setAttribute = () => this
  setAttributes = () => this
  addEvent = () => this
  addLink = () => this
  addLinks = () => this
  setStatus = () => this
  updateName = () => this
  recordException = () => {}
  end = () => {}
}

class JoinedProvider {
  readonly #tracer: Tracer
  readonly #contexts: ContextManager
  readonly #successor: () => TracerProvider | null

  constructor(tracer: Tracer, contexts: ContextManager, successor: () => TracerProvider | null) {
    this.#tracer = tracer
    this.#contexts = contexts
    this.#successor = successor
  }

  getTracer(name: string, version?: string, options?: unknown): unknown {
    const later = () => this.#successor()?.getTracer(name, version, options)
    return {
      startSpan: (spanName: string, spanOptions?: SpanOptions, context?: ApiContext) =>
        later()?.startSpan(spanName, spanOptions, context) ?? this.#startSpan(spanName, spanOptions, context ?? this.#contexts.active()),
      startActiveSpan: (spanName: string, ...args: unknown[]) => {
        const successor = later()
        if (successor !== undefined) return successor.startActiveSpan(spanName, ...args)
        const work = args.at(-1) as (span: unknown) => unknown
        const [spanOptions, given] = args.slice(0, -1) as [SpanOptions?, ApiContext?]
        const parent = given ?? this.#contexts.active()
        const span = this.#startSpan(spanName, spanOptions, parent)
        return this.#contexts.with(parent.setValue(SPAN, span), () => work(span))
      },
    }
  }

  #startSpan(name: string, { kind = 0, attributes = {}, links = [], startTime, root = false }: SpanOptions = {}, context: ApiContext): unknown {
    const parent = root ? undefined : this.#contexts.scopeOf(context)
    const scope = this.#tracer.start((kind + 1) as Kind, String(name), parent) // OTLP counts from 1, with 0 for "not said"
    const { span } = scope
    if (span === null || span === parent?.span) return new UnrecordedSpan(scope)
    span.beginAt(startTime)
    return span.setAttributes(attributes).addLinks(links)
  }
}
