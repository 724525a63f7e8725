import { NameTable } from './name-table.ts'

/** Different values that are kept apart, by label; what comes after them is `other`. */
const MOST = { service: 1000, instance: 5000, release: 1000, operation: 1000, peer: 200 } as const
type Label = keyof typeof MOST
/** Of all labels of one environment: names are never given back, and one that makes them up must leave room for the others. */
const MOST_OF_A_SCOPE = 20_000

export interface CappedLabel {
  readonly scope: number
  readonly service: string
  readonly label: Label
  /** How often a value was replaced by `other`. */
  readonly count: number
}

/** The values that one label of one service has had, so that a label with a new value each time ends as `other` and not as a full memory. */
export class LabelValues {
  /** How often a value was replaced. */
  replaced = 0
  readonly label: Label
  readonly #values = new Set<number>()
  /** How many all labels of the environment have. */
  readonly #ofScope: { count: number }

  constructor(label: Label, ofScope: { count: number }) {
    this.label = label
    this.#ofScope = ofScope
  }

  get isFull(): boolean {
    return this.#values.size >= MOST[this.label] || this.#ofScope.count >= MOST_OF_A_SCOPE
  }

  has(name: number): boolean {
    return this.#values.has(name)
  }

  /** The name if it is among the values or there is room, else `other`. */
  admit(name: number): number {
    if (name <= NameTable.OTHER || this.#values.has(name)) return name
    if (this.isFull) return this.other()
    this.#values.add(name)
    this.#ofScope.count++
    return name
  }

  other(): number {
    this.replaced++
    return NameTable.OTHER
  }

  forget(): void {
    this.#ofScope.count -= this.#values.size
    this.#values.clear()
  }
}

/** All labels of all services. Kept until the next `forget`, once a day: a service that slowly changes its names is never capped. */
export class Labels {
  readonly #names: NameTable
  readonly #ofService = new Map<number, Map<number, Map<Label, LabelValues>>>()
  readonly #ofScope = new Map<number, { count: number }>()

  constructor(names: NameTable) {
    this.#names = names
  }

  /** The values of a label within a service (a number in the name table; 0: within the whole environment). */
  of(scope: number, service: number, label: Label): LabelValues {
    const services = entry(this.#ofService, scope, () => new Map<number, Map<Label, LabelValues>>())
    const labels = entry(services, service, () => new Map<Label, LabelValues>())
    return entry(
      labels,
      label,
      () =>
        new LabelValues(
          label,
          entry(this.#ofScope, scope, () => ({ count: 0 })),
        ),
    )
  }

  forget(): void {
    this.#each((values) => values.forget())
  }

  /** Those that had more values than are kept apart. */
  capped(): CappedLabel[] {
    const capped: CappedLabel[] = []
    this.#each((values, scope, service) => {
      if (values.replaced > 0) capped.push({ scope, service: this.#names.text(service), label: values.label, count: values.replaced })
    })
    return capped
  }

  #each(visit: (values: LabelValues, scope: number, service: number) => void): void {
    for (const [scope, services] of this.#ofService)
      for (const [service, labels] of services) for (const values of labels.values()) visit(values, scope, service)
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = make()))
  return value
}
