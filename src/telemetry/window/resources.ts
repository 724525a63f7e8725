import { randomInt } from 'node:crypto'
import { type Attributes, readAttributes } from '../wire/attributes.ts'
import { FIELD } from '../wire/otlp.ts'
import { ProtobufReader } from '../wire/protobuf-reader.ts'
import type { Labels, LabelValues } from './labels.ts'
import { hash, NameTable } from './name-table.ts'

/** What a resource says of itself that may tell whose it is. Nobody has to believe it. */
export interface Claims {
  /** `weir.environment`: believed of what comes over the gateway's own socket. */
  readonly environment: string | null
  /** `service.namespace`: the app. */
  readonly namespace: string | null
  /** `deployment.environment.name`. */
  readonly deployment: string | null
  readonly service: string | null
  /** Name of the span, where the resource did not say enough: EMP names spans `username/application_name`. */
  readonly operation: string | null
}

/** A maker of spans in one environment: a replica, as a rule. Parsed once, however many requests carry it. */
export interface Resource {
  /** Of one that there is no room for: a number at which there is none. */
  readonly index: number
  /** 0: it is not known whose it is. */
  readonly scope: number
  readonly claims: Claims
  readonly service: number
  readonly instance: number
  readonly release: number
  readonly operations: LabelValues
  readonly peers: LabelValues
  /** A copy of the Resource message; null: there is no room for it. */
  readonly bytes: Uint8Array | null
  /** Number of the last span that it made; −1: none yet. */
  lastSpan: number
}

const MAX_KEPT_BYTES = 16_384
/** Of all that are kept. */
const MAX_BYTES = 32 * 2 ** 20
/** What one environment may have of all that there is room for: one that floods must leave room for the others. */
const SHARE = 1 / 4
const UNKNOWN_SERVICE = 'unknown_service'

/**
 * The resources that spans of the window refer to. Those that none refers to any more make room when it gets short; looking for them goes over
 * all of them, so it is done again only when the window has moved on by a part of itself. What finds no room is parsed for its spans and not kept.
 */
export class Resources {
  readonly #names: NameTable
  readonly #labels: Labels
  readonly #max: number
  /** So many spans are to leave the window before room is looked for again. */
  readonly #patience: number
  readonly #seed = randomInt(2 ** 31)
  readonly #byHash = new Map<number, Resource[]>()
  readonly #all: (Resource | null)[] = []
  readonly #free: number[] = []
  readonly #kept = new Map<number, Kept>()
  readonly #keptOfAll: Kept = { count: 0, bytes: 0 }
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(names: NameTable, labels: Labels, { max, windowSpans }: { readonly max: number; readonly windowSpans: number }) {
    this.#names = names
    this.#labels = labels
    this.#max = max
    this.#patience = windowSpans / 64
  }

  at(index: number): Resource | null {
    return this.#all[index] ?? null
  }

  get size(): number {
    return this.#all.length - this.#free.length
  }

  /** The resource of these bytes in this environment. `oldestSpan`: resources whose last span came before it may be forgotten. */
  of(scope: number, bytes: Uint8Array, from: number, to: number, oldestSpan: number): Resource {
    const hashed = hash(bytes, from, to, this.#seed) ^ Math.imul(scope, 0x9e3779b1)
    const found = this.#byHash.get(hashed)
    if (found) for (const resource of found) if (resource.scope === scope && isSame(resource.bytes, bytes, from, to)) return resource
    if (to - from > MAX_KEPT_BYTES || !this.#hasRoom(scope, to - from, oldestSpan)) return this.#parse(this.#max, scope, bytes, from, to)
    const resource = this.#parse(this.#free.pop() ?? this.#all.length, scope, bytes, from, to)
    this.#all[resource.index] = resource
    this.#keep(resource, 1)
    if (found) found.push(resource)
    else this.#byHash.set(hashed, [resource])
    return resource
  }

  #hasRoom(scope: number, bytes: number, oldestSpan: number): boolean {
    const isOver = (kept: Kept | undefined, share: number) => kept !== undefined && (kept.count >= share * this.#max || kept.bytes + bytes > share * MAX_BYTES)
    const isFull = () => isOver(this.#keptOfAll, 1) || isOver(this.#kept.get(scope), SHARE)
    if (isFull() && oldestSpan >= this.#lookedAt + this.#patience) {
      this.#lookedAt = oldestSpan
      this.#forget(oldestSpan)
    }
    return !isFull()
  }

  #parse(index: number, scope: number, bytes: Uint8Array, from: number, to: number): Resource {
    const attributes = readAttributes(new ProtobufReader(bytes, from), to, FIELD.resource.attributes)
    const claims = claimsOf(attributes)
    const label = (service: number, name: 'service' | 'instance' | 'release', value: string | null) => {
      const values = this.#labels.of(scope, service, name)
      if (value === null) return NameTable.NONE
      return values.isFull && this.#names.findText(value) === -1 ? values.other() : values.admit(this.#names.internText(value))
    }
    const service = label(0, 'service', claims.service ?? UNKNOWN_SERVICE)
    return {
      index,
      scope,
      claims,
      service,
      instance: label(service, 'instance', textOfAttribute(attributes, 'service.instance.id')),
      release: label(service, 'release', textOfAttribute(attributes, 'service.version')),
      operations: this.#labels.of(scope, service, 'operation'),
      peers: this.#labels.of(scope, service, 'peer'),
      bytes: index < this.#max ? bytes.slice(from, to) : null,
      lastSpan: -1,
    }
  }

  #keep({ scope, bytes }: Resource, times: 1 | -1): void {
    let mine = this.#kept.get(scope)
    if (!mine) this.#kept.set(scope, (mine = { count: 0, bytes: 0 }))
    for (const kept of [mine, this.#keptOfAll]) {
      kept.count += times
      kept.bytes += times * (bytes?.length ?? 0)
    }
    if (mine.count === 0) this.#kept.delete(scope)
  }

  #forget(oldestSpan: number): void {
    for (const [hashed, list] of this.#byHash) {
      const kept = list.filter((resource) => resource.lastSpan >= oldestSpan)
      for (const resource of list.filter(({ lastSpan }) => lastSpan < oldestSpan)) {
        this.#all[resource.index] = null
        this.#free.push(resource.index)
        this.#keep(resource, -1)
      }
      if (kept.length > 0) this.#byHash.set(hashed, kept)
      else this.#byHash.delete(hashed)
    }
  }
}

/** How much is kept, of one environment or of all. */
interface Kept {
  count: number
  bytes: number
}

/** Reads what the attributes of a resource claim. */
export function claimsOf(attributes: Attributes): Claims {
  return {
    environment: textOfAttribute(attributes, 'weir.environment'),
    namespace: textOfAttribute(attributes, 'service.namespace'),
    deployment: textOfAttribute(attributes, 'deployment.environment.name') ?? textOfAttribute(attributes, 'deployment.environment'),
    service: textOfAttribute(attributes, 'service.name'),
    operation: null,
  }
}

function textOfAttribute(attributes: Attributes, key: string): string | null {
  const value = attributes[key]
  return typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : null
}

function isSame(own: Uint8Array | null, bytes: Uint8Array, from: number, to: number): boolean {
  if (own === null || own.length !== to - from) return false
  for (let at = 0; at < own.length; at++) if (own[at] !== bytes[from + at]) return false
  return true
}
