import type { Sender } from '../window/trace-window.ts'

/** Bodies that are being received, of all environments together. */
const MAX_BYTES = 64 * 2 ** 20
/** … and of one: a tenant that floods must leave room for the others. */
const MAX_BYTES_OF_ONE = MAX_BYTES / 4
/** Above this, traces would be written over before they are closed. */
const MAX_PRESSURE = 0.85
/** … and what one environment may have of the window: one that floods must leave room for the others. */
const MAX_SHARE = 0.7
/** So far behind, what comes is refused: quickly refused and sent again later is better than both late. */
const MAX_LAG_MS = 400
const SAMPLE_MS = 50

/**
 * Whether there is room for one more request, asked before its body is read or decompressed: refusing costs a hundredth of the work.
 * The process is behind when its own timer is late, twice in a row: once may be a neighbour on the machine.
 */
export class Admission {
  readonly #window: { readonly pressure: number; shareOf(scope: number): number }
  readonly #bytes = new Map<Sender, number>()
  readonly #timer: NodeJS.Timeout
  #total = 0
  #lagMs = 0
  #lastLagMs = 0
  #expectedMs: number

  constructor(window: { readonly pressure: number; shareOf(scope: number): number }) {
    this.#window = window
    this.#expectedMs = performance.now() + SAMPLE_MS
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS)
    this.#timer.unref()
  }

  /** Why not; null: come in. */
  refusal(sender: Sender, bytes: number): string | null {
    if (this.#window.pressure > MAX_PRESSURE) return 'The window of recent spans is full.'
    if (typeof sender === 'number' && this.#window.shareOf(sender) > MAX_SHARE) return 'This environment has its share of the window of recent spans.'
    if (this.#lagMs > MAX_LAG_MS) return `Telemetry is ${Math.round(this.#lagMs)} ms behind.`
    if (this.#total + bytes > MAX_BYTES) return 'Too many bodies are on their way.'
    if ((this.#bytes.get(sender) ?? 0) + bytes > MAX_BYTES_OF_ONE) return 'Too many bodies of this environment are on their way.'
    return null
  }

  enter(sender: Sender, bytes: number): void {
    this.#total += bytes
    this.#bytes.set(sender, (this.#bytes.get(sender) ?? 0) + bytes)
  }

  leave(sender: Sender, bytes: number): void {
    this.#total -= bytes
    const left = (this.#bytes.get(sender) ?? 0) - bytes
    if (left > 0) this.#bytes.set(sender, left)
    else this.#bytes.delete(sender)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #sample(): void {
    const now = performance.now()
    const late = Math.max(0, now - this.#expectedMs)
    this.#lagMs = Math.min(late, this.#lastLagMs)
    this.#lastLagMs = late
    this.#expectedMs = now + SAMPLE_MS
  }
}
