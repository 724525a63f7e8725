import { subscribe } from 'node:diagnostics_channel'
import type { Scope } from './scope.ts'
import type { Tracer } from './tracer.ts'

/** What a library tells of one operation: the same object from its start to its end. */
export interface Operation<T> {
  readonly channel: string
  /** The scope of the span to make, or null where nothing is to be recorded. */
  readonly begin: (told: T) => Scope | null
}

const SCOPE = Symbol('weir.scope')
type Told<T> = T & { readonly error?: unknown; [SCOPE]?: Scope }

/** Spans for operations that a library announces by itself on a tracing channel: no patch of its code. */
export function traceChannel<T extends object>(tracer: Tracer, { channel, begin }: Operation<T>): void {
  const on = (event: string, act: (told: Told<T>) => void) =>
    subscribe(`tracing:${channel}:${event}`, (told) => {
      try {
        act(told as Told<T>)
      } catch (error) {
        tracer.trouble(channel, error)
      }
    })

  on('start', (told) => {
    if (tracer.idle) return
    const scope = begin(told)
    if (scope !== null) told[SCOPE] = scope
  })
  on('error', (told) => told[SCOPE]?.span?.failWith(told.error))
  on('asyncEnd', (told) => told[SCOPE]?.span?.end())
}
