import type { TraceTable } from './trace-table.ts'

const NONE = -1
/** Times are kept to this; what is due is found up to so much late. */
const STEP_MS = 100
/** 51 s: further than any trace has to wait. */
const STEPS = 512

/**
 * Which traces are to be looked at when: a ring of lists, one a tenth of a second. A trace is in one list at most; entering, leaving and
 * finding what is due cost the same however many there are.
 */
export class DueWheel {
  readonly #traces: TraceTable
  readonly #heads = new Int32Array(STEPS).fill(NONE)
  /** The step that is looked at next. */
  #step: number

  constructor(traces: TraceTable, nowMs: number) {
    this.#traces = traces
    this.#step = Math.floor(nowMs / STEP_MS)
  }

  add(slot: number, dueMs: number): void {
    const { wheelNext, wheelPrevious } = this.#traces
    const step = Math.min(Math.max(Math.ceil(dueMs / STEP_MS), this.#step), this.#step + STEPS - 1) % STEPS
    const head = this.#heads[step] as number
    wheelNext[slot] = head
    wheelPrevious[slot] = ~step
    if (head !== NONE) wheelPrevious[head] = slot
    this.#heads[step] = slot
  }

  remove(slot: number): void {
    const { wheelNext, wheelPrevious } = this.#traces
    const next = wheelNext[slot] as number
    const previous = wheelPrevious[slot] as number
    if (next !== NONE) wheelPrevious[next] = previous
    if (previous < 0) this.#heads[~previous] = next
    else wheelNext[previous] = next
  }

  /** Takes every trace out that is due and gives it to `visit`, which may add it again for later. */
  due(nowMs: number, visit: (slot: number) => void): void {
    const until = Math.floor(nowMs / STEP_MS)
    if (until - this.#step > STEPS) this.#step = until - STEPS
    while (this.#step <= until) {
      const step = this.#step++ % STEPS
      let slot = this.#heads[step] as number
      this.#heads[step] = NONE
      while (slot !== NONE) {
        const next = this.#traces.wheelNext[slot] as number
        visit(slot)
        slot = next
      }
    }
  }
}
