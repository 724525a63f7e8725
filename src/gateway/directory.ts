import { compareVersions, type Listener, type RoutingTable, type TableVersion, type TargetGroup } from '../core/model/routing.ts'
import type { Evidence, EvidenceSheet } from './evidence.ts'
import { indexRoutes, matchRoute, type Routed, type RouteIndex } from './match.ts'
import { Shadowing } from './shadow.ts'
import { type SocketKey, socketOf } from './socket-key.ts'
import { Target } from './target.ts'

/** A routing table made ready for look-ups. */
export interface Environment {
  readonly table: RoutingTable
  readonly services: ReadonlyMap<string, Service>
  /** Where the requests routed by this table are counted for a verdict; null: nothing is judged. */
  readonly judged: EvidenceSheet | null
  /** null: nothing is copied. */
  readonly shadow: Shadowing | null
}

export interface Service {
  readonly name: string
  readonly stable: Group
  readonly canary: Group | null
  readonly timeoutMs: number
  readonly drainMs: number
  readonly bodyLimit: number
}

export interface Group {
  readonly origin: number
  readonly cause: string | null
  readonly targets: readonly Target[]
}

/** Where a request goes: one listener of one environment. */
export interface Place {
  readonly environment: Environment
  readonly listener: Listener
  readonly service: Service
  /** `entry`, or the edge's id. */
  readonly hop: string
}

/** All tables of this worker and what they lead to. A table is replaced as a whole: between two requests, never within one. */
export class Directory {
  readonly #environments = new Map<string, Environment>()
  readonly #targets = new Map<string, Target>()
  readonly #bySocket = new Map<SocketKey, Place>()
  readonly #onIdle: (target: Target) => void
  readonly #evidence: Evidence
  readonly #judging = new Set<string>()
  #routes: RouteIndex<Place> = indexRoutes([])
  #grpcSockets = new Set<SocketKey>()
  /** Made anew when it is next asked for: a thousand tables that come together cost one. */
  #indexed = true

  constructor(onIdle: (target: Target) => void, evidence: Evidence) {
    this.#onIdle = onIdle
    this.#evidence = evidence
  }

  /** Some environment's requests are counted for a verdict, and somebody waits for it. */
  get judging(): boolean {
    return this.#judging.size > 0
  }

  /** @returns the version in place: of an equal or newer table, if there is one. */
  apply(table: RoutingTable): TableVersion {
    const before = this.#environments.get(table.environment)
    if (before && compareVersions(table.version, before.table.version) <= 0) return before.table.version
    const services = new Map<string, Service>()
    for (const [name, it] of Object.entries(table.services)) {
      services.set(name, {
        name,
        stable: this.#group(table.environment, it.stable),
        canary: it.canary === null ? null : this.#group(table.environment, it.canary),
        timeoutMs: it.timeoutMs,
        drainMs: it.drainMs,
        bodyLimit: it.bodyLimit,
      })
    }
    const judged = this.#evidence.sheet(table, before?.judged ?? null)
    const pairs = this.#evidence.shadowSheet(table, before?.shadow?.sheet ?? null)
    const shadow = table.shadow && pairs && new Shadowing(table.shadow, pairs)
    if (judged !== null || shadow) this.#judging.add(table.environment)
    else this.#judging.delete(table.environment)
    const after = { table, services, judged, shadow: shadow ?? null }
    this.#environments.set(table.environment, after)
    this.#retire(before, after)
    this.#indexed = false
    return table.version
  }

  withdraw(environment: string): void {
    const before = this.#environments.get(environment)
    this.#environments.delete(environment)
    this.#judging.delete(environment)
    this.#retire(before, null)
    this.#indexed = false
  }

  route(host: string, path: string): Place | null {
    this.#index()
    return matchRoute(this.#routes, host, path)?.owner ?? null
  }

  at(socket: SocketKey): Place | null {
    this.#index()
    return this.#bySocket.get(socket) ?? null
  }

  /** Sockets on which HTTP/2 may arrive. */
  speaksGrpc(socket: SocketKey): boolean {
    this.#index()
    return this.#grpcSockets.has(socket)
  }

  versions(): Map<string, TableVersion> {
    return new Map([...this.#environments].map(([name, it]) => [name, it.table.version]))
  }

  /** environment → replica → requests in flight, replicas without any left out. */
  inflight(): Record<string, Record<string, number>> {
    const counts: Record<string, Record<string, number>> = {}
    for (const target of this.#targets.values()) {
      if (target.inflight === 0) continue
      const of = (counts[target.environment] ??= {})
      of[target.id] = target.inflight
    }
    return counts
  }

  /** A drained target without requests is forgotten. */
  forgetIdle(target: Target): void {
    if (target.inflight === 0 && !this.#isNamed(target)) this.#targets.delete(target.id)
  }

  closeLongLived(): void {
    for (const target of this.#targets.values()) target.closeLongLived()
  }

  #group(environment: string, group: TargetGroup): Group {
    const targets = group.targets.map((spec) => {
      let target = this.#targets.get(spec.id)
      if (!target) {
        target = new Target(environment, spec, this.#onIdle)
        this.#targets.set(spec.id, target)
      }
      target.revive()
      return target
    })
    return { origin: group.origin, cause: group.cause, targets }
  }

  #retire(before: Environment | undefined, after: Environment | null): void {
    if (!before) return
    const kept = new Set(after === null ? [] : targetsOf(after))
    for (const service of before.services.values()) {
      for (const target of [...service.stable.targets, ...(service.canary?.targets ?? [])]) {
        if (kept.has(target)) continue
        target.drain(service.drainMs)
        if (target.inflight === 0) this.#targets.delete(target.id)
      }
    }
  }

  #isNamed(target: Target): boolean {
    const environment = this.#environments.get(target.environment)
    return environment !== undefined && targetsOf(environment).includes(target)
  }

  #index(): void {
    if (this.#indexed) return
    this.#indexed = true
    const routes: Routed<Place>[] = []
    this.#bySocket.clear()
    const grpc = new Set<SocketKey>()
    // By name: where two environments want the same, the outcome is at least the same on every worker.
    for (const environment of [...this.#environments.values()].sort((a, b) => (a.table.environment < b.table.environment ? -1 : 1))) {
      for (const listener of environment.table.listeners) {
        const service = environment.services.get(listener.service)
        if (!service) continue
        const place = { environment, listener, service, hop: listener.kind === 'edge' ? listener.id : 'entry' }
        const socket = socketOf(listener)
        if (listener.protocol === 'grpc') grpc.add(socket)
        if (listener.kind === 'route') routes.push({ listener, owner: place })
        else if (!this.#bySocket.has(socket)) this.#bySocket.set(socket, place)
      }
    }
    this.#routes = indexRoutes(routes)
    this.#grpcSockets = grpc
  }
}

function targetsOf(environment: Environment): Target[] {
  return [...environment.services.values()].flatMap((service) => [...service.stable.targets, ...(service.canary?.targets ?? [])])
}
