import * as z from 'zod'
import type { Argv } from '../model/app-graph.ts'
import { nextRun, parseCron } from '../model/cron.ts'
import { durationText } from '../model/duration-text.ts'
import { nameProblem } from '../model/names.ts'
import { shellSyntax, splitCommand } from './argv.ts'
import { parseBytes, parseDuration, parsePercent, parseRate } from './quantity.ts'

/** What a leaf says when it cannot be read: the message, what to write instead, and in a list which item. */
type Refusal = { readonly message: string; readonly hint: string | null; readonly at?: number }
type Read<T> = { readonly value: T } | Refusal

/**
 * A value of the manifest that is more than its YAML type: checked and turned into what the app graph holds.
 * `json` describes what may be written, for the JSON Schema.
 */
function leaf<T>(json: Readonly<Record<string, unknown>>, read: (input: unknown) => Read<T>) {
  return z
    .unknown()
    .transform((input, context): T => {
      const result = read(input)
      if ('value' in result) return result.value
      context.issues.push({ code: 'custom', message: result.message, input, params: { hint: result.hint }, path: result.at === undefined ? [] : [result.at] })
      return z.NEVER
    })
    .meta({ ...json })
}

export function duration(minMs: number, maxMs: number) {
  return leaf({ type: 'string', pattern: '^(\\d+(\\.\\d+)?(ms|s|m|h|d))+$', title: 'a duration such as 10s' }, (input) => {
    const text = withUnit(input, 'a duration', '10s', ['s', 'ms'])
    if ('message' in text) return text
    const value = parseDuration(text.value)
    if (value === null) return expected('a duration such as 250ms, 10s or 5m', input)
    return value < minMs || value > maxMs
      ? { message: `${text.value} is out of range`, hint: `from ${durationText(minMs)} to ${durationText(maxMs)}` }
      : { value }
  })
}

export function bytes(min: number) {
  return leaf({ type: 'string', pattern: '^\\d+(\\.\\d+)?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$', title: 'a size such as 256MiB' }, (input) => {
    const text = withUnit(input, 'a size', '256MiB', ['MiB', 'GiB'])
    if ('message' in text) return text
    const value = parseBytes(text.value)
    if (value === null) return expected('a size such as 256MiB or 1GiB', input)
    return value < min || value > 2 ** 50 ? { message: `${text.value} is out of range`, hint: `at least ${min / 2 ** 20}MiB` } : { value }
  })
}

export const percent = leaf({ type: 'string', pattern: '^\\d+(\\.\\d+)?%$', title: 'a share such as 99.9%' }, (input) => {
  const text = withUnit(input, 'a share', '99.9%', ['%'])
  if ('message' in text) return text
  const value = parsePercent(text.value)
  return value === null ? expected('a share from 0% to 100%', input) : { value }
})

/** A share within bounds that make sense for it. */
export function share(min: number, max: number) {
  return leaf({ type: 'string', pattern: '^\\d+(\\.\\d+)?%$', title: 'a share such as 10%' }, (input) => {
    const text = withUnit(input, 'a share', '10%', ['%'])
    if ('message' in text) return text
    const value = parsePercent(text.value)
    if (value === null) return expected('a share from 0% to 100%', input)
    return value < min || value > max ? { message: `${text.value} is out of range`, hint: `from ${min * 100}% to ${max * 100}%` } : { value }
  })
}

export const rate = leaf({ type: 'string', pattern: '^\\d+(\\.\\d+)?/(s|min|h)$', title: 'a rate such as 200/s' }, (input) => {
  const text = withUnit(input, 'a rate', '200/s', ['/s'])
  if ('message' in text) return text
  const value = parseRate(text.value)
  return value === null || value <= 0 ? expected('a rate such as 200/s', input) : { value }
})

export const cores = leaf({ type: ['number', 'string'], minimum: 0.01, maximum: 256, title: 'a number of CPUs such as 0.5' }, (input) => {
  const value = typeof input === 'number' ? input : typeof input === 'string' && /^\d+(\.\d+)?$/.test(input) ? Number(input) : null
  if (value === null)
    return typeof input === 'string' && /^\d+m$/.test(input)
      ? { message: `\`${input}\` is not a number of CPUs`, hint: `write ${Number(input.slice(0, -1)) / 1000}` }
      : expected('a number of CPUs such as 0.5', input)
  return value < 0.01 || value > 256 ? { message: `${value} CPUs is out of range`, hint: 'from 0.01 to 256' } : { value }
})

export const command = leaf<Argv>(
  { type: ['array', 'string'], items: { type: 'string' }, minItems: 1, title: 'a command: ["node", "server.js"] or one line' },
  (input) => {
    const words: unknown[] = Array.isArray(input) ? input : [input]
    const nul = words.findIndex((word) => typeof word === 'string' && word.includes('\0'))
    if (nul >= 0) return { message: 'a command cannot hold a NUL character', hint: null, ...(Array.isArray(input) ? { at: nul } : {}) }
    if (typeof input === 'string') {
      const shell = shellSyntax(input)
      if (shell)
        return {
          message: `\`${shell}\` needs a shell, and commands run without one`,
          hint: `write ["/bin/sh", "-c", ${JSON.stringify(input)}], or a script of the app`,
        }
      const split = splitCommand(input)
      return 'error' in split ? { message: `the command ${split.error}`, hint: 'write ["program", "argument"]' } : { value: split.argv }
    }
    if (!Array.isArray(input)) return expected('a command such as ["node", "server.js"]', input)
    const odd = input.findIndex((word) => typeof word !== 'string')
    if (odd >= 0)
      return {
        message: `argument ${odd + 1} of the command is not text but ${kindOf(input[odd])}`,
        hint: typeof input[odd] === 'object' ? null : `quote it: "${String(input[odd])}"`,
        at: odd,
      }
    if (input.length === 0 || input[0] === '') return { message: 'the command is empty', hint: 'write ["program", "argument"]' }
    return { value: input as string[] }
  },
)

export const schedule = leaf({ type: 'string', title: 'a schedule such as "0 3 * * *"' }, (input) => {
  if (typeof input !== 'string') return expected('a schedule such as "0 3 * * *" (minute hour day month weekday, UTC)', input)
  const cron = parseCron(input)
  const problem = 'problem' in cron ? cron.problem : nextRun(cron, 0) === null ? 'it names a day that never comes' : null
  return problem !== null
    ? { message: `not a schedule: ${problem}`, hint: 'five fields: minute hour day month weekday, in UTC, as in "0 3 * * *"' }
    : { value: input.trim().split(/\s+/).join(' ') }
})

/** A folder inside the source, normalised without `./` and a trailing `/`; `.` is the top. */
export const folder = leaf({ type: 'string', title: 'a folder of the source' }, (input) => {
  if (typeof input !== 'string' || input === '') return expected('a folder of the source such as `.` or `services/web`', input)
  if (/^[a-z+]+:\/\/|^git@/.test(input))
    return { message: 'an address cannot be built from here', hint: 'name a folder of this source, or deploy the address itself' }
  if (hasControl(input)) return { message: 'a path cannot hold control characters', hint: null }
  if (input.startsWith('/') || input.includes('\\') || input.split('/').includes('..'))
    return { message: `\`${input}\` leads out of the source`, hint: 'name a folder inside it, without `..`' }
  return {
    value:
      input
        .split('/')
        .filter((part) => part !== '' && part !== '.')
        .join('/') || '.',
  }
})

/** A path inside the running app. */
export const mountPath = leaf({ type: 'string', pattern: '^/', title: 'an absolute path' }, (input) =>
  typeof input === 'string' && /^\/[^/]/.test(input) && !hasControl(input) && !input.split('/').includes('..')
    ? { value: input.replace(/\/+$/, '') }
    : expected('an absolute path such as /data', input),
)

export const host = leaf({ type: 'string', title: 'a host name' }, (input) => {
  if (typeof input !== 'string') return expected('a host name such as shop.example.com', input)
  const value = input.toLowerCase()
  if (/^[a-z]+:\/\//.test(value) || /[/:]/.test(value))
    return {
      message: `\`${input}\` is not a host name alone`,
      hint: `write host: ${value.replace(/^[a-z]+:\/\//, '').replace(/[/:].*$/, '')}, and the path in \`path\``,
    }
  return value.length <= 253 && /^(\*\.)?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value)
    ? { value }
    : expected('a host name such as shop.example.com', input)
})

/** Where something outside is asked. */
export const address = leaf({ type: 'string', pattern: '^https?://', title: 'an address such as http://prometheus:9090' }, (input) =>
  typeof input === 'string' && /^https?:\/\/[!-~]+$/.test(input) ? { value: input } : expected('an address such as http://prometheus:9090', input),
)

export const text = leaf({ type: 'string', minLength: 1, title: 'text' }, (input) =>
  typeof input === 'string' && input.trim() !== '' && !input.includes('\0') ? { value: input } : expected('text', input),
)

/** A path prefix, without a trailing slash. */
export const routePath = leaf({ type: 'string', pattern: '^/', title: 'a path prefix such as /api' }, (input) =>
  typeof input === 'string' && /^\/[!-~]*$/.test(input) && !/[?#*\\]|\/\/|\/\.\.?(\/|$)/.test(input)
    ? { value: input.length > 1 ? input.replace(/\/$/, '') : input }
    : expected('a path prefix such as /api, without `*` and `?`', input),
)

/** What a health check asks for: a path, with a query if need be. */
export const requestPath = leaf({ type: 'string', pattern: '^/', title: 'a path such as /healthz' }, (input) =>
  typeof input === 'string' && /^\/[!-~]*$/.test(input) ? { value: input } : expected('a path such as /healthz', input),
)

export const headerName = leaf({ type: 'string', title: 'a header name' }, (input) =>
  typeof input === 'string' && /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/.test(input)
    ? { value: input.toLowerCase() }
    : expected('a header name such as x-tenant', input),
)
export const cookieName = leaf({ type: 'string', title: 'a cookie name' }, (input) =>
  typeof input === 'string' && /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/.test(input) ? { value: input } : expected('a cookie name such as session', input),
)

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/
export const variableName = leaf({ type: 'string', pattern: VARIABLE.source, title: 'a variable name' }, (input) =>
  typeof input === 'string' && VARIABLE.test(input) ? { value: input } : expected('a variable name such as API_KEY', input),
)

/** Names of apps, services and the like; `nameProblem` is the law for all of Weir. */
export const name = leaf({ type: 'string', pattern: '^[a-z]([-a-z0-9]*[a-z0-9])?$', maxLength: 40, title: 'a name' }, (input) => {
  if (typeof input !== 'string') return expected('a name', input)
  const refusal = nameRefusal(input)
  return refusal ?? { value: input }
})

/** Keys of a map whose names are checked apart (names.ts), so that a bad name hides no problem below it. */
export const anyName = z.string().meta({ pattern: '^[a-z]([-a-z0-9]*[a-z0-9])?$', maxLength: 40 })
export const anyVariable = z.string().meta({ pattern: VARIABLE.source })

export const variableValue = leaf({ type: ['string', 'number', 'boolean'], title: 'text' }, (input) => {
  if (input === null) return { message: 'the variable has no value', hint: 'write "" for an empty one, or take it out and use `weir env set`' }
  if (typeof input === 'object') return expected('text', input)
  const value = String(input)
  return value.includes('\0') ? { message: 'a variable cannot hold a NUL character', hint: null } : { value }
})

/** Why `input` is no name, with one as close to it as the rules allow; null: it is one. */
export function nameRefusal(input: string): Refusal | null {
  const problem = nameProblem(input)
  const near = toName(input)
  return problem ? { message: `the name ${JSON.stringify(input)} ${problem}`, hint: near === null ? null : `call it \`${near}\`` } : null
}

export function variableRefusal(input: string): Refusal | null {
  return VARIABLE.test(input)
    ? null
    : { message: `${JSON.stringify(input)} cannot be the name of a variable`, hint: 'letters, digits and `_`, not beginning with a digit' }
}

/** @example toName('My_App 2') // 'my-app-2' */
export function toName(text: string): string | null {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 40)
    .replace(/-+$/, '')
  return nameProblem(name) === null ? name : null
}

export function kindOf(input: unknown): string {
  if (input === null || input === undefined) return 'nothing'
  if (Array.isArray(input)) return 'a list'
  if (typeof input === 'object') return 'a map'
  return typeof input === 'string' ? `the text ${JSON.stringify(input.length > 40 ? `${input.slice(0, 40)}…` : input)}` : `the ${typeof input} ${String(input)}`
}

function hasControl(text: string): boolean {
  return /[\u0000-\u001f\u007f]/.test(text)
}

function expected(what: string, input: unknown): Refusal {
  return { message: `expected ${what}, got ${kindOf(input)}`, hint: null }
}

/** Text with a unit; a bare number gets the fix, in the units it may have been meant in. */
function withUnit(input: unknown, what: string, example: string, units: readonly string[]): { readonly value: string } | Refusal {
  const bare = typeof input === 'number' || (typeof input === 'string' && /^\d+(\.\d+)?$/.test(input)) ? String(input) : null
  if (bare !== null) return { message: `${what} needs a unit, got ${bare}`, hint: `write ${units.map((unit) => `${bare}${unit}`).join(' or ')}` }
  return typeof input === 'string' ? { value: input } : expected(`${what} such as ${example}`, input)
}
