import { KIND } from '../core/tracegraph/spans.ts'
import type { ClosedTrace } from './window/closed-trace.ts'
import type { NameTable } from './window/name-table.ts'

/** Releases that are remembered; the longest silent go first. */
const MAX_RELEASES = 20_000
/** The id of a replica names its environment, service and release, whatever the service calls itself. */
const REPLICA = /^(e\d+)-(.+)-v(\d+)-[^-]+$/

/**
 * Which releases of services send server or consumer spans of their own: for those the gateway makes none. A release is taken for what it
 * showed once; another one is judged anew, so that instrumentation which is turned off takes effect with its release.
 *
 * | what the spans name                       | key          |
 * |-------------------------------------------|--------------|
 * | the replica (`service.instance.id`)        | `e12/web/v3` |
 * | service and release (`service.version`)    | `e12/web/v3` |
 * | the service alone, as Zipkin's reporters do | `e12/web/*`  |
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

  list(): { readonly version: string; readonly senders: readonly string[] } {
    return { version: this.version, senders: [...this.#lastSeen.keys()] }
  }

  /** Another one when the list is. */
  get version(): string {
    return `${this.#incarnation}.${this.#version}`
  }

  note({ scope, rows, count, counted, columns, makerOf }: ClosedTrace, nowMs: number): void {
    for (let at = counted; at < count; at++) {
      const row = rows[at] as number
      const kind = columns.kind[row]
      if (kind !== KIND.server && kind !== KIND.consumer) continue
      if (makerOf(row)?.claims.environment !== null) continue // the gateway's own
      this.#add(this.#keyOf(scope, columns.service[row] as number, columns.release[row] as number, columns.instance[row] as number), nowMs)
    }
  }

  #keyOf(scope: number, service: number, release: number, instance: number): string {
    const match = REPLICA.exec(this.#names.text(instance))
    if (match && match[1] === `e${scope}`) return `${match[1]}/${match[2]}/v${match[3]}`
    return `e${scope}/${this.#names.text(service)}/${release === 0 ? '*' : this.#names.text(release)}`
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
