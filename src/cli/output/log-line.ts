import type { LogRecord } from '../../../packages/client/src/types.ts'
import type { Colours } from '../frame/terminal.ts'
import { escapeControl, padEnd } from './escape.ts'

const LEVEL_WIDTH = 5

/** @example recordLine(colours, record) // '12:00:01.250 error web v4 | order 7 was refused' */
export function recordLine(colours: Colours, { at, level, service, release, text }: LogRecord): string {
  const shown = padEnd(level === 'unknown' ? '' : level, LEVEL_WIDTH)
  const coloured = level === 'error' || level === 'fatal' ? colours.red(shown) : level === 'warn' ? colours.yellow(shown) : shown
  return `${colours.dim(at.slice(11, 23))} ${coloured} ${colours.cyan(escapeControl(`${service} ${release}`.trim()))} | ${escapeControl(text)}`
}
