import { escapeControl } from '../output/escape.ts'
import { parseDuration } from '../output/units.ts'
import type { Session } from './session.ts'
import { usage } from './usage.ts'

/** `--timeout`: null waits as long as it takes. */
export function timeoutMs(session: Session): number | null {
  const text = session.text('timeout')
  return text === undefined ? null : durationMs('--timeout', text)
}

export function durationMs(option: string, text: string): number {
  const ms = parseDuration(text)
  if (ms === null) throw usage(`${option} ${escapeControl(text)} is no duration`, undefined, `for example ${option} 90s, ${option} 1h30m`)
  return ms
}

/** `--wait` is what happens anyway; `--no-wait` returns as soon as the server has it. */
export function waits(session: Session): boolean {
  return session.options['wait'] !== false
}

/** `1h` (that long ago) or a time like 2026-01-31T12:00, as the API takes it. */
export function moment(option: string, text: string, now: number): string {
  const ago = parseDuration(text)
  if (ago !== null) return new Date(now - ago).toISOString()
  const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at))
    throw usage(`${option} ${escapeControl(text)} is neither a duration nor a time`, undefined, `for example ${option} 1h, ${option} 2026-01-31T12:00`)
  return new Date(at).toISOString()
}
