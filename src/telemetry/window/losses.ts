/**
 * Why something that was sent is not in the graph. What the sender was told of (`refused-*`) it still has and may send again; the rest is gone.
 *
 * | cause | counts | what happened |
 * |---|---|---|
 * | malformed | requests | bytes that are no OTLP |
 * | refused-key | requests | no key, or a wrong one |
 * | refused-size | requests | body over the limit, before or after decompression |
 * | refused-busy | requests | more than can be worked on: told to come back |
 * | failed | requests | something went wrong that should not; the log says what |
 * | unknown-scope | spans | no key, and the spans name no app |
 * | bad-id | spans | a trace or span id of wrong length, or all zeros |
 * | repeated | spans | the same span, delivered twice |
 * | trace-too-large | spans | beyond what one trace may hold |
 * | over-limit | log records, points | beyond what one request may hold |
 * | window-full | spans | written over before their trace was closed |
 * | raw-gone | spans | attributes not kept until their trace was closed; the span itself counts |
 * | late-in-part | traces | spans came late and were counted, but what was counted before could not be put right any more |
 * | odd-time | spans | no start, an end before the start, or longer than a day: counted with a time that was put right |
 */
export type Cause =
  | 'malformed'
  | 'refused-key'
  | 'refused-size'
  | 'refused-busy'
  | 'failed'
  | 'unknown-scope'
  | 'bad-id'
  | 'repeated'
  | 'trace-too-large'
  | 'over-limit'
  | 'window-full'
  | 'raw-gone'
  | 'late-in-part'
  | 'odd-time'

export interface Loss {
  /** The number of the environment; 0: it is not known whose it was. */
  readonly scope: number
  readonly cause: Cause
  readonly count: number
}

/** Exact counts of what was lost, by environment and cause. */
export class Losses {
  readonly #counts = new Map<number, Partial<Record<Cause, number>>>()

  add(scope: number, cause: Cause, count = 1): void {
    let counts = this.#counts.get(scope)
    if (!counts) this.#counts.set(scope, (counts = {}))
    counts[cause] = (counts[cause] ?? 0) + count
  }

  of(scope: number, cause: Cause): number {
    return this.#counts.get(scope)?.[cause] ?? 0
  }

  list(): Loss[] {
    return [...this.#counts].flatMap(([scope, counts]) => Object.entries(counts).map(([cause, count]) => ({ scope, cause: cause as Cause, count })))
  }
}

/** With these the span is in its trace all the same, or its sender still has it. */
const NOT_GONE: ReadonlySet<string> = new Set<Cause | `${string}-not-kept` | `log${string}` | 'names' | 'error-kinds' | 'journals-set-aside'>([
  'refused-key',
  'refused-size',
  'refused-busy',
  'raw-gone',
  'late-in-part',
  'odd-time',
  'over-limit',
  'traces-not-kept',
  'logs-not-kept',
  'metrics-not-kept',
  'counts-not-kept',
  'log-files-missed',
  'logs-not-sent',
  'names',
  'error-kinds',
  'journals-set-aside',
])

/**
 * How many spans are in no trace and never will be.
 *
 * @example spansGone({ 'window-full': 3, 'raw-gone': 500 }) // 3
 */
export function spansGone(lost: Readonly<Record<string, number>>): number {
  return Object.entries(lost).reduce((sum, [cause, count]) => (NOT_GONE.has(cause) ? sum : sum + count), 0)
}
