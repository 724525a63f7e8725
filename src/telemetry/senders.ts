import { KIND } from '../core/tracegraph/spans.ts'
import type { ClosedTrace } from './window/closed-trace.ts'
import type { NameTable } from './window/name-table.ts'

/** Releases that are remembered; the longest silent go first. */
const MAX_RELEASES = 20_000

/**
 * Which releases of services send server or consumer spans of their own: for those the gateway makes none. A release is taken for what it
 * showed once; another one is judged anew, so that instrumentation which is turned off takes effect with its release.
 */
export class Senders {
  #version = 1
  readonly #names: NameTable
  readonly #lastSeen = new Map<string, number>()
  readonly #incarnation: string

  /** `incarnation`: of this process, so that versions of two are never equal. */
  constructor(names: NameTable, incarnation: string) {
    this.#names = names
    this.#incarnation = incarnation
  }

  /** `e12/web/v3` for each; the version is another when the list is. */
  list(): { readonly version: string; readonly senders: readonly string[] } {
    return { version: `${this.#incarnation}.${this.#version}`, senders: [...this.#lastSeen.keys()] }
  }

  get version(): string {
    return `${this.#incarnation}.${this.#version}`
  }

  note({ scope, rows, count, counted, columns, makerOf }: ClosedTrace, nowMs: number): void {
    for (let at = counted; at < count; at++) {
      const row = rows[at] as number
      const kind = columns.kind[row]
      if (kind !== KIND.server && kind !== KIND.consumer) continue
      const release = columns.release[row] as number
      if (release === 0 || makerOf(row)?.claims.environment !== null) continue // the gateway's own
      this.#add(`e${scope}/${this.#names.text(columns.service[row] as number)}/${this.#names.text(release)}`, nowMs)
    }
  }

  #add(key: string, nowMs: number): void {
    const known = this.#lastSeen.has(key)
    this.#lastSeen.set(key, nowMs)
    if (known) return
    this.#version++
    if (this.#lastSeen.size <= MAX_RELEASES) return
    const [oldest] = [...this.#lastSeen].reduce((a, b) => (b[1] < a[1] ? b : a))
    this.#lastSeen.delete(oldest)
  }
}
