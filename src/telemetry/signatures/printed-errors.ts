import { isFrame, readHeader } from '../../core/model/stack-trace.ts'
import { LEVEL } from '../storage/logs/log-record.ts'
import { readLine } from '../storage/logs/read-line.ts'

/** An error that begins at a line of what a replica printed. */
export interface PrintedError {
  readonly atMs: number
  readonly stack: string
}

interface Line {
  readonly atMs: number
  readonly text: string
}

/** Lines without a frame, and the trace that is being printed. */
interface Open {
  above: Line[]
  trace: Line[]
  kind: 'at' | 'python' | 'go' | null
  /** Python: the line with the type has come; after some words more of a chain may follow. */
  isNamed: boolean
  isChained: boolean
}

/** A message may have so many lines between its first and the first frame. */
const MOST_ABOVE = 8
const MOST_LINES = 300
const MOST_CHARACTERS = 2000
/** What a logger prints in one go comes in the same moment. */
const SAME_MOMENT_MS = 5
/** Of one replica that prints no more, nothing is kept. */
const FORGET_MS = 600_000

const TRACEBACK = /Traceback \(most recent call last\):\s*$/
const CHAINED = /^(?:The above exception was the direct cause|During handling of the above exception)/
const GO_BEGIN = /^(?:panic: |fatal error: |goroutine \d+ \[)|http: panic serving /
const GO_MORE = /^(?:goroutine \d+ \[|\[signal |created by |\S.*\)$|\t|panic: )/
const AT_MORE = /^(?:\s+\S|Caused by: |[{}\]])/
/** These have frames, and nothing has failed. */
const NO_ERROR = /(?:^|\.)(?:Trace|State|\w*Warning)$/

/**
 * Finds stack traces among the lines that programs print to stderr. Nothing else there is an error: not a warning, and not a line in which the word
 * stands.
 *
 * @example
 * const errors = new PrintedErrors()
 * errors.line('e1-web-v3-7', 0, 'TypeError: no id') // null
 * errors.line('e1-web-v3-7', 0, '    at cart (/srv/cart.js:4:2)') // null
 * errors.ended(1000) // [['e1-web-v3-7', { atMs: 0, stack: 'TypeError: no id\n    at cart (/srv/cart.js:4:2)' }]]
 */
export class PrintedErrors {
  readonly #open = new Map<string, Open>()

  /** The error that was over with this line; null: none was. `source`: lines of different ones do not belong together. */
  line(source: string, atMs: number, text: string): PrintedError | null {
    let open = this.#open.get(source)
    if (!open) this.#open.set(source, (open = { above: [], trace: [], kind: null, isNamed: false, isChained: false }))
    const line = { atMs, text: text.slice(0, MOST_CHARACTERS) }
    if (open.kind !== null && goesOn(open, line.text)) {
      if (open.trace.length < MOST_LINES) open.trace.push(line)
      return null
    }
    const found = close(open)
    begin(open, line)
    return found
  }

  /** Whether anything is remembered of it. */
  has(source: string): boolean {
    return this.#open.has(source)
  }

  /** Errors after whose last line nothing more has come until then. */
  ended(beforeMs: number): (readonly [source: string, PrintedError])[] {
    const found: (readonly [string, PrintedError])[] = []
    for (const [source, open] of this.#open) {
      const last = (open.trace.at(-1) ?? open.above.at(-1))?.atMs ?? 0
      if (open.kind !== null && last < beforeMs) {
        const error = close(open)
        if (error) found.push([source, error])
      }
      if (last < beforeMs - FORGET_MS) this.#open.delete(source)
    }
    return found
  }
}

function begin(open: Open, line: Line): void {
  if (TRACEBACK.test(line.text)) open.kind = 'python'
  else if (GO_BEGIN.test(line.text)) open.kind = 'go'
  else if (isFrame(line.text) && /^\s+at /.test(line.text)) open.kind = 'at'
  if (open.kind === 'at') {
    const header = open.above.findLastIndex((it) => readHeader(it.text) !== null)
    open.trace = header < 0 ? [] : open.above.slice(header)
    open.above = header < 0 ? [] : open.above.slice(0, header)
    open.trace.push(line)
  } else if (open.kind !== null) open.trace = [line]
  else if (open.above.push(line) > MOST_ABOVE) open.above.shift()
}

function goesOn(open: Open, text: string): boolean {
  if (open.kind === 'at') return AT_MORE.test(text)
  if (open.kind === 'go') return text === '' || GO_MORE.test(text)
  if (/^\s*$/.test(text)) return open.isNamed
  if (CHAINED.test(text)) return (open.isChained = open.isNamed)
  if (TRACEBACK.test(text) && open.isChained) {
    open.isNamed = open.isChained = false
    return true
  }
  if (open.isNamed) return false
  if (/^\S/.test(text)) open.isNamed = true
  return true
}

function close(open: Open): PrintedError | null {
  const { above, trace, kind } = open
  open.above = []
  open.trace = []
  open.kind = null
  open.isNamed = open.isChained = false
  const [first] = trace
  if (kind === null) open.above = above
  if (kind === null || first === undefined || !trace.some((it) => isFrame(it.text))) return null
  const type = kind === 'at' ? (readHeader(first.text)?.type ?? null) : ''
  if (type === null || NO_ERROR.test(type) || isWarned(first, warnsAbove(trace) ? above.at(-1) : undefined)) return null
  return { atMs: first.atMs, stack: trace.map((it) => it.text).join('\n') }
}

/** Where loggers put the level on a line of its own, above the error: in Java and Python. */
function warnsAbove(trace: readonly Line[]): boolean {
  return trace.some((it) => it.text.startsWith('\tat ') || TRACEBACK.test(it.text))
}

/** Loggers print the trace of what they only warn of, too: behind the word for its level. */
function isWarned(first: Line, before: Line | undefined): boolean {
  const lines = before && first.atMs - before.atMs <= SAME_MOMENT_MS ? [before, first] : [first]
  return lines.some((it) => {
    const { severity } = readLine(it.text)
    return severity > LEVEL.unknown && severity < LEVEL.error
  })
}
