import { chmodSync, chownSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ObservedResource } from '../../../core/model/replica.ts'
import type { ResourceSpec } from '../../driver.ts'
import { crashPoint } from './crash-point.ts'
import { readRecords, recordOutcome, removeRecord, writeRecord } from './durable.ts'
import type { ResourceFields } from './environment.ts'
import type { Machine } from './machine.ts'
import type { AppDatabases } from './postgres/app-databases.ts'

interface ResourceRecord {
  readonly spec: ResourceSpec
  readonly phase: ObservedResource['phase']
  readonly cause: string | null
}
type Known = { readonly kind: 'postgres' | 'volume'; readonly fields: ResourceFields }

const RETRY = { firstMs: 200, mostMs: 5_000 }

/** Databases and folders of environments: made once, kept until they are removed with their data. */
export class Resources {
  readonly #machine: Machine
  readonly #databases: AppDatabases
  readonly #changed: (environment: string) => void
  readonly #records = new Map<string, ResourceRecord>()
  readonly #waiting = new Map<string, (() => void)[]>()

  constructor(machine: Machine, databases: AppDatabases, changed: (environment: string) => void) {
    this.#machine = machine
    this.#databases = databases
    this.#changed = changed
    for (const record of readRecords<ResourceRecord>(this.#folder)) this.#records.set(keyOf(record.spec), record)
  }

  /** Makes sure that what was made before is there: the databases' server may not run. */
  resume(): void {
    for (const { spec } of this.#records.values()) void this.#make(spec)
  }

  /** Accepts it durably and makes it in the background; a failed one is tried again. */
  ensure(spec: ResourceSpec): void {
    if (this.#records.has(keyOf(spec))) return
    this.#save({ spec, phase: 'creating', cause: null })
    crashPoint('resource-recorded')
    void this.#make(spec)
  }

  async remove(environment: string, name: string, withData: boolean): Promise<void> {
    const record = this.#records.get(`${environment}/${name}`)
    const kind = record?.spec.kind
    if (kind !== 'volume') await this.#databases.remove(environment, name, withData)
    if (withData) rmSync(this.#volume(environment, name), { recursive: true, force: true })
    if (!record) return
    this.#records.delete(keyOf(record.spec))
    removeRecord(this.#file(record.spec))
    this.#changed(environment)
  }

  observe(environment: string): ObservedResource[] {
    return [...this.#records.values()]
      .filter((record) => record.spec.environment === environment)
      .map(({ spec, phase, cause }) => ({ name: spec.name, phase, cause }))
  }

  environments(): string[] {
    return [...this.#records.values()].map((record) => record.spec.environment)
  }

  figure({ environment, resource, query }: { environment: string; resource: string; query: string }): Promise<number> {
    return this.#databases.figure(environment, resource, query)
  }

  /** Apps that may reach the databases' port. */
  databaseApps(): Set<number> {
    return new Set([...this.#records.values()].filter((it) => it.spec.kind === 'postgres').map((it) => it.spec.account.app))
  }

  /** Which of these is not there yet, in words; null: all are. */
  missing(environment: string, names: readonly string[]): string | null {
    for (const name of names) {
      const record = this.#records.get(`${environment}/${name}`)
      if (record?.phase === 'ready') continue
      return `waits for ${name}, which ${record ? (record.cause ?? 'is being made') : 'nobody has asked for'}`
    }
    return null
  }

  /** What is injected for it; waits until it is there, or until `signal` says that nobody waits any more. */
  async fields(environment: string, name: string, signal?: AbortSignal): Promise<Known> {
    const key = `${environment}/${name}`
    for (;;) {
      const record = this.#records.get(key)
      if (record?.phase === 'ready') {
        const { kind } = record.spec
        return { kind, fields: kind === 'volume' ? { path: this.#volume(environment, name) } : this.#databases.fields(environment, name) }
      }
      signal?.throwIfAborted()
      await new Promise<void>((resolve) => {
        this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), resolve])
        signal?.addEventListener('abort', () => resolve(), { once: true })
      })
    }
  }

  async #make(spec: ResourceSpec, delayMs = RETRY.firstMs): Promise<void> {
    try {
      if (spec.kind === 'volume') this.#makeVolume(spec)
      else await this.#databases.ensure(spec)
      crashPoint('resource-created')
      this.#save({ spec, phase: 'ready', cause: null })
      for (const go of this.#waiting.get(keyOf(spec)) ?? []) go()
      this.#waiting.delete(keyOf(spec))
    } catch (error) {
      if (!this.#records.has(keyOf(spec))) return
      this.#save({ spec, phase: 'failed', cause: error instanceof Error ? error.message : String(error) })
      setTimeout(() => this.#records.has(keyOf(spec)) && void this.#make(spec, Math.min(delayMs * 2, RETRY.mostMs)), delayMs)
    }
  }

  #makeVolume(spec: ResourceSpec): void {
    const path = this.#volume(spec.environment, spec.name)
    mkdirSync(join(this.#machine.paths.volumes, spec.environment), { recursive: true, mode: 0o711 })
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const uid = this.#machine.accounts?.app(spec.account.app)
    if (uid !== undefined) chownSync(path, uid, uid)
    chmodSync(path, 0o700)
  }

  #save(record: ResourceRecord): void {
    if (record.phase === 'creating') writeRecord(this.#file(record.spec), record, { durable: true })
    else recordOutcome(this.#file(record.spec), record)
    this.#records.set(keyOf(record.spec), record)
    this.#changed(record.spec.environment)
  }

  #volume(environment: string, name: string): string {
    return join(this.#machine.paths.volumes, environment, name)
  }
  get #folder(): string {
    return join(this.#machine.paths.runner, 'resources')
  }
  #file(spec: ResourceSpec): string {
    return join(this.#folder, `${spec.environment}.${spec.name}.json`)
  }
}

function keyOf(spec: ResourceSpec): string {
  return `${spec.environment}/${spec.name}`
}
