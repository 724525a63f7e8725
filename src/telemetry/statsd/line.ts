/** One observation of StatsD. */
export type Observation = {
  readonly name: string
  /** As they came; of two with the same key the last counts. */
  readonly tags: Readonly<Record<string, string>>
} & (
  | { readonly kind: 'counter'; readonly value: number /** How many this one stands for. */; readonly weight: number }
  | { readonly kind: 'timer'; readonly value: number; readonly weight: number; readonly unit: 'ms' | '' }
  | { readonly kind: 'gauge'; readonly value: number /** Added to what it was. */; readonly relative: boolean }
  | { readonly kind: 'set'; readonly member: string }
)

const MAX_LINE = 8192
const MAX_NAME = 200
const MAX_TAGS = 16
const MAX_TAG = 100
const MAX_VALUE = 1e12
/** A rate of a millionth is the least that is believed: one line stands for no more than a million. */
const MIN_RATE = 1e-6
const NAME = /^[^\s:|@#]+$/
const CONTROL = /\p{Cc}/u
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/

/**
 * Reads `name:value|type|@rate|#tag:value,…` as StatsD's and DogStatsD's clients send it; several values by colons make several observations.
 * Types: `c`, `ms`, `h` and `d` (distributions without a unit), `g`, `s`. Parts behind that nobody here needs (`c:`, `T`, `e:`) are passed over.
 *
 * @example readLine('cart.items:3|c|@0.1|#service:web') // [{ kind: 'counter', name: 'cart.items', value: 3, weight: 10, tags: { service: 'web' } }]
 * @returns null when it is no such line
 */
export function readLine(line: string): readonly Observation[] | null {
  if (line.length > MAX_LINE || CONTROL.test(line)) return null
  const [head = '', type, ...rest] = line.split('|')
  const [name = '', ...values] = head.split(':')
  if (name.length > MAX_NAME || !NAME.test(name) || values.length === 0) return null
  const rate = rest.find((it) => it.startsWith('@'))?.slice(1) ?? '1'
  const tags = readTags(rest.find((it) => it.startsWith('#'))?.slice(1) ?? '')
  if (tags === null || !NUMBER.test(rate) || !(Number(rate) >= MIN_RATE && Number(rate) <= 1)) return null
  const weight = 1 / Number(rate)
  const observations = values.map((text) => observation({ name, tags }, type, text, weight))
  return observations.every((it) => it !== null) ? observations : null
}

function observation(of: Pick<Observation, 'name' | 'tags'>, type: string | undefined, text: string, weight: number): Observation | null {
  if (type === 's') return text === '' ? null : { ...of, kind: 'set', member: text }
  const value = Number(text)
  if (!NUMBER.test(text) || Math.abs(value) > MAX_VALUE) return null
  if (type === 'c') return { ...of, kind: 'counter', value, weight }
  if (type === 'g') return { ...of, kind: 'gauge', value, relative: /^[+-]/.test(text) }
  if (type !== 'ms' && type !== 'h' && type !== 'd') return null
  return value < 0 ? null : { ...of, kind: 'timer', value, weight, unit: type === 'ms' ? 'ms' : '' }
}

function readTags(text: string): Readonly<Record<string, string>> | null {
  const all = text.split(',').filter((it) => it !== '')
  if (all.length > MAX_TAGS || all.some((it) => it.length > MAX_TAG)) return null
  const pairs = all.map((it): [string, string] => {
    const colon = it.indexOf(':')
    return colon === -1 ? [it, ''] : [it.slice(0, colon), it.slice(colon + 1)]
  })
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
}
