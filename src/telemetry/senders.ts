import { KIND } from '../core/tracegraph/spans.ts'
import type { ClosedTrace } from './window/closed-trace.ts'
import type { NameTable } from './window/name-table.ts'

/** Releases that are remembered, of all environments and of one; the longest silent go first. With their names they are less than a gateway's worker reads. */
const MAX_RELEASES = 10_000
const MAX_OF_ONE = 1000
/** What the gateway could ask for; whatever else services call themselves. */
const KEY = /^e\d{1,9}\/[a-z0-9][a-z0-9-]{0,62}\/(?:\*|v\d{1,9})$/
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
  /** The longest silent first, by environment. */
  readonly #byScope = new Map<number, Set<string>>()
  readonly #scopes = new Map<string, number>()
  /** How many releases of a service; `e12/web`. */
  readonly #releases = new Map<string, number>()
  readonly #incarnation: string

  /** `incarnation`: of this process, so that versions of two are never equal. */
  constructor(names: NameTable, incarnation: string) {
    this.#names = names
    this.#incarnation = incarnation
  }

  list(): { readonly version: string; readonly senders: readonly string[] } {
    return { version: this.version, senders: [...this.#scopes.keys()] }
  }

  /** Another one when the list is. */
  get version(): string {
    return `${this.#incarnation}.${this.#version}`
  }

  /** Whether any release of the service sends spans of its own. */
  sends(scope: number, service: string): boolean {
    return this.#releases.has(`e${scope}/${service}`)
  }

  note({ scope, rows, count, counted, columns, makerOf }: ClosedTrace): void {
    for (let at = counted; at < count; at++) {
      const row = rows[at] as number
      const kind = columns.kind[row]
      if (kind !== KIND.server && kind !== KIND.consumer) continue
      if (makerOf(row)?.claims.environment !== null) continue // the gateway's own
      this.#add(scope, this.#keyOf(scope, columns.service[row] as number, columns.release[row] as number, columns.instance[row] as number))
    }
  }

  #keyOf(scope: number, service: number, release: number, instance: number): string {
    const match = REPLICA.exec(this.#names.text(instance))
    if (match && match[1] === `e${scope}`) return `${match[1]}/${match[2]}/v${match[3]}`
    return `e${scope}/${this.#names.text(service)}/${release === 0 ? '*' : this.#names.text(release)}`
  }

  #add(scope: number, key: string): void {
    if (this.#scopes.has(key)) {
      this.#toTheEnd(scope, key)
      return
    }
    if (!KEY.test(key)) return
    this.#version++
    let mine = this.#byScope.get(scope)
    if (!mine) this.#byScope.set(scope, (mine = new Set()))
    if (mine.size >= MAX_OF_ONE) this.#forget(scope)
    else if (this.#scopes.size >= MAX_RELEASES) this.#forget(this.#scopes.values().next().value as number)
    mine.add(key)
    this.#scopes.set(key, scope)
    this.#count(key, 1)
  }

  #toTheEnd(scope: number, key: string): void {
    const mine = this.#byScope.get(scope) as Set<string>
    mine.delete(key)
    mine.add(key)
    this.#scopes.delete(key)
    this.#scopes.set(key, scope)
  }

  /** The longest silent of an environment. */
  #forget(scope: number): void {
    const mine = this.#byScope.get(scope)
    const [oldest] = mine ?? []
    if (oldest === undefined) return
    mine?.delete(oldest)
    this.#scopes.delete(oldest)
    this.#count(oldest, -1)
  }

  #count(key: string, by: number): void {
    const service = key.slice(0, key.lastIndexOf('/'))
    const releases = (this.#releases.get(service) ?? 0) + by
    if (releases === 0) this.#releases.delete(service)
    else this.#releases.set(service, releases)
  }
}
