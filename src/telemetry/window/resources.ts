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
  /** Number of the last span that it made. */
  lastSpan: number
}

const MAX_KEPT_BYTES = 16_384
const UNKNOWN_SERVICE = 'unknown_service'

/** The resources that spans of the window refer to. Those that none refers to any more make room when it gets short. */
export class Resources {
  readonly #names: NameTable
  readonly #labels: Labels
  readonly #max: number
  readonly #seed = randomInt(2 ** 31)
  readonly #byHash = new Map<number, Resource[]>()
  readonly #all: (Resource | null)[] = []
  readonly #free: number[] = []

  constructor(names: NameTable, labels: Labels, max: number) {
    this.#names = names
    this.#labels = labels
    this.#max = max
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
    if (this.size >= this.#max) this.#forget(oldestSpan)
    if (this.size >= this.#max || to - from > MAX_KEPT_BYTES) return this.#parse(this.#max, scope, bytes, from, to)
    const resource = this.#parse(this.#free.pop() ?? this.#all.length, scope, bytes, from, to)
    this.#all[resource.index] = resource
    if (found) found.push(resource)
    else this.#byHash.set(hashed, [resource])
    return resource
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
      lastSpan: 0,
    }
  }

  #forget(oldestSpan: number): void {
    for (const [hashed, list] of this.#byHash) {
      const kept = list.filter((resource) => resource.lastSpan >= oldestSpan)
      for (const { index } of list.filter((resource) => resource.lastSpan < oldestSpan)) {
        this.#all[index] = null
        this.#free.push(index)
      }
      if (kept.length > 0) this.#byHash.set(hashed, kept)
      else this.#byHash.delete(hashed)
    }
  }
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
