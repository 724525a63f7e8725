import type { TargetGroup } from '../core/model/routing.ts'
import type { Health } from './balance.ts'
import { UpstreamPool } from './upstream.ts'

/** A connection that outlives its answer's head (WebSocket, event stream, gRPC stream): closed when its target has drained long enough. */
export interface LongLived {
  closeForDrain(): void
}

/** One replica as this worker sees it: the same object over all tables that name it, because ids are never used again. */
export class Target implements Health {
  readonly id: string
  readonly address: string
  readonly environment: string
  inflight = 0
  failures = 0
  ejections = 0
  ejectedUntil = 0
  readonly #ports: Readonly<Record<string, number>>
  readonly #pools = new Map<number, UpstreamPool>()
  readonly #longLived = new Set<LongLived>()
  readonly #onIdle: (target: Target) => void
  #draining: NodeJS.Timeout | null = null

  constructor(environment: string, spec: TargetGroup['targets'][number], onIdle: (target: Target) => void) {
    this.environment = environment
    this.id = spec.id
    this.address = spec.address
    this.#ports = spec.ports
    this.#onIdle = onIdle
  }

  /** null: the replica has no port of that name. */
  port(name: string): number | null {
    return this.#ports[name] ?? null
  }

  pool(port: number): UpstreamPool {
    let pool = this.#pools.get(port)
    if (!pool) {
      pool = new UpstreamPool(this.address, port)
      this.#pools.set(port, pool)
    }
    return pool
  }

  enter(): void {
    this.inflight++
  }

  leave(): void {
    this.inflight--
    if (this.inflight === 0 && this.#draining !== null) this.#onIdle(this)
  }

  hold(it: LongLived): void {
    this.#longLived.add(it)
  }

  letGo(it: LongLived): void {
    this.#longLived.delete(it)
  }

  /** No table names it any more: nothing new goes there, and what is long-lived ends after `drainMs`. */
  drain(drainMs: number): void {
    if (this.#draining !== null) return
    this.#draining = setTimeout(() => this.closeLongLived(), drainMs)
    this.#draining.unref()
    for (const pool of this.#pools.values()) pool.close()
  }

  closeLongLived(): void {
    for (const it of [...this.#longLived]) it.closeForDrain()
  }

  /** A table names it again before it was gone. */
  revive(): void {
    if (this.#draining !== null) clearTimeout(this.#draining)
    this.#draining = null
  }
}
