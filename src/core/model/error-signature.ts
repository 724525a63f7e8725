import { type Frame, readHeader, readStackTrace } from './stack-trace.ts'

export interface SeenError {
  /** As the instrumentation or the logger names it; '': not said. */
  readonly type: string
  readonly message: string
  /** As the language printed it; '': none. */
  readonly stack: string
}

const MOST_FRAMES = 3
const MOST_MESSAGE = 120
/** Of a message; the rest is not looked at. */
const MOST_READ = 500
const MOST = 300

/**
 * What errors of one kind have in common, whatever request met them: the type (and that of its root cause), and the innermost functions of the
 * app. Lines, columns and folders are left out: they differ between releases that fail alike. Where no function of the app is known, the message
 * stands in, without all that varies. '': nothing is known of the error.
 *
 * @example errorSignature({ type: '', message: '', stack: 'TypeError: no id 17\n    at cart (/srv/app/cart.js:4:2)' }) // 'TypeError at cart (cart.js)'
 * @example errorSignature({ type: 'Timeout', message: 'order 17 took 3012 ms', stack: '' }) // 'Timeout: order # took # ms'
 */
export function errorSignature({ type, message, stack }: SeenError): string {
  const links = readStackTrace(stack)?.links ?? []
  const [outer, root] = [links[0], links.length > 1 ? links.at(-1) : undefined]
  const header = links.length === 0 && type === '' ? readHeader(stack.split('\n', 1)[0] as string) : null
  const outerType = steadyName(outer?.type || type || header?.type || '')
  const types = root && root.type !== '' && steadyName(root.type) !== outerType ? `${outerType} < ${steadyName(root.type)}` : outerType
  const frames =
    [...links]
      .reverse()
      .map((it) => framesOf(it.frames))
      .find((it) => it.length > 0) ?? []
  const said = steadyText(root?.message || outer?.message || (header ? header.message : message))
  const isNamedByMessage = outer?.type === 'panic' && said !== '' // Go has no types of errors that it panics with
  const place = frames.length > 0 ? ` at ${frames.join(' < ')}` : ''
  const text = frames.length === 0 || isNamedByMessage ? said : ''
  return [types, text]
    .filter((it) => it !== '')
    .join(': ')
    .concat(place)
    .trim()
    .slice(0, MOST)
}

/** The same error on its way to a client: `POST /pay 500`. */
export function placeOf(route: string | null, status: number | null): string {
  return [route ?? '', status === null || status === 0 ? '' : String(status)].filter((it) => it !== '').join(' ')
}

/** Those of the app, innermost first; a function that calls itself stands once. */
function framesOf(frames: readonly Frame[]): string[] {
  const names: string[] = []
  for (const frame of frames) {
    const name = frame.inApp ? frameName(frame) : ''
    if (name !== '' && name !== names.at(-1) && names.push(name) === MOST_FRAMES) break
  }
  return names
}

function frameName({ name, file }: Frame): string {
  const called = steadyName(name)
  const within = steadyName(file)
  return called === '' ? within : within === '' ? called : `${called} (${within})`
}

/** Names made by compilers and bundlers carry numbers and hashes. */
function steadyName(name: string): string {
  return name
    .slice(0, MOST_READ)
    .replace(/0x[0-9a-fA-F]+/g, '#')
    .replace(/@[0-9a-f]{4,}\b/g, '')
    .replace(/(?<![A-Za-z0-9])(?=[0-9a-f]*\d)[0-9a-f]{6,}(?![A-Za-z0-9])/g, '#')
    .replace(/\d+/g, '#')
    .trim()
}

/**
 * A message without what varies from one time to the next.
 *
 * | what stands there                                        | becomes |
 * |----------------------------------------------------------|---------|
 * | something between quotes                                 | `''`    |
 * | a word with a digit in it: ids, times, sizes, addresses  | `#`     |
 * | an address, a path, a word of over 20 characters         | `#`     |
 * | names of days and months                                 | `#`     |
 * | several of these in a row, however many                  | one     |
 *
 * @example steadyText('user "ann" not found in 12 ms') // "user '' not found in # ms"
 */
export function steadyText(text: string): string {
  return text
    .slice(0, MOST_READ)
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d\u00ab\u00bb]/g, '"')
    .replace(/(?<![\w'])'(?:[^'\n]|'(?=\w))*'(?!\w)|"(?:[^"\\\n]|\\.)*"|`[^`\n]*`/g, "''")
    .replace(/[^\s()[\]{}<>=,;'|]+/g, (word) => (isVariable(word) ? `#${/[.:!?]$/.exec(word)?.[0] ?? ''}` : word))
    .replace(/(#|'')[.:]?(?:[\s,;:/|+-]+\1[.:]?)+/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, MOST_MESSAGE)
}

const CALENDAR = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|[AP]M|UTC|GMT)[.,]?$/

function isVariable(word: string): boolean {
  return /\d/.test(word) || word.length > 20 || word.includes('@') || word.includes('://') || /^[/\\].*[/\\]/.test(word) || CALENDAR.test(word)
}
