import { setTimeout as pause } from 'node:timers/promises'
import type { NamedEnvironment } from '../telemetry.ts'
import type { Sender } from '../window/trace-window.ts'
import { LONGEST_MS } from '../window/trace-window.ts'
import type { Journal } from './journal.ts'
import { filesLeft, type Left, leftIn, type Marks } from './left-journal.ts'
import { TRACE_BYTES, traceInto, traceKey } from './records.ts'
import { beginReplay, endReplay } from './replays.ts'

/** Whoever asks for the graph, which is restored, or sends, goes first: before all of it, and then after so much. */
const FIRST_MS = 200
const BETWEEN_MS = 2
const AT_ONCE_BYTES = 2 ** 20
const NOTHING: ReadonlySet<string> = new Set()

export interface Known {
  readonly counted: boolean
  readonly drawn: boolean
}
export const NEW: Known = { counted: false, drawn: false }

export interface RecoveryOptions {
  readonly journal: Journal
  readonly folder: string
  readonly now: () => number
  accept(sender: Sender, request: Uint8Array): void
  know(environments: readonly NamedEnvironment[]): void
  log(line: string): void
}

/**
 * Takes in again what a killed process had taken in. Its traces are whole again, and closed again; those that were counted, or drawn into the
 * graph, before the kill are known, and are so only once. A span that came late for a trace that was counted is not counted.
 */
export class Recovery {
  readonly #options: RecoveryOptions
  #counted = NOTHING
  #drawn = NOTHING
  #untilMs = 0
  readonly #key = Buffer.alloc(TRACE_BYTES)

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  async run(marks: ReadonlyMap<string, Marks>): Promise<void> {
    const { journal, folder, know } = this.#options
    await pause(FIRST_MS)
    for (const file of beginReplay(folder, filesLeft(folder, journal.name))) {
      this.#options.log(`journal: the last two processes died taking in ${file}; it is set aside in ${folder}, and what it held is not counted`)
    }
    const left = leftIn(folder, journal.name, marks)
    this.#counted = left.counted
    this.#drawn = left.drawn
    this.#untilMs = Number.POSITIVE_INFINITY
    if (left.environments.length > 0) know(left.environments)
    // this process may be killed before these are closed
    journal.before('counted', Buffer.from([...left.counted].join(''), 'latin1'))
    journal.before('drawn', Buffer.from([...left.drawn].join(''), 'latin1'))
    await this.#takeIn(left)
    left.forget()
    endReplay(folder)
    this.#untilMs = this.#options.now() + 2 * LONGEST_MS
  }

  /** Whether the trace whose id lies at `at` of `words` was counted, and drawn, before the kill. */
  of(scope: number, words: Uint32Array, at: number): Known {
    if (this.#untilMs === 0) return NEW
    if (this.#options.now() > this.#untilMs) {
      this.#counted = this.#drawn = NOTHING
      this.#untilMs = 0
    }
    traceInto(this.#key, 0, scope, words, at)
    const key = traceKey(this.#key, 0)
    return { counted: this.#counted.has(key), drawn: this.#drawn.has(key) }
  }

  async #takeIn(left: Left): Promise<void> {
    let bytes = 0
    for (const { sender, request } of left.requests()) {
      this.#options.accept(sender, request)
      bytes += request.length
      if (bytes < AT_ONCE_BYTES) continue
      bytes = 0
      await pause(BETWEEN_MS)
    }
  }
}
