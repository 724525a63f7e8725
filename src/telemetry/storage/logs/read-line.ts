import { LEVEL } from './log-record.ts'

export interface LineMeaning {
  readonly severity: number
  readonly trace: string
  readonly span: string
  /** What a person would read: the message of a structured line, else the line. */
  readonly text: string
  readonly attributes: Readonly<Record<string, unknown>> | null
}

const NAMES: Readonly<Record<string, number>> = {
  trace: LEVEL.trace,
  verbose: LEVEL.trace,
  debug: LEVEL.debug,
  dbug: LEVEL.debug,
  info: LEVEL.info,
  information: LEVEL.info,
  notice: LEVEL.info,
  log: LEVEL.info,
  warn: LEVEL.warn,
  warning: LEVEL.warn,
  error: LEVEL.error,
  err: LEVEL.error,
  severe: LEVEL.error,
  fatal: LEVEL.fatal,
  critical: LEVEL.fatal,
  crit: LEVEL.fatal,
  emerg: LEVEL.fatal,
  alert: LEVEL.fatal,
  panic: LEVEL.fatal,
}
/** The word within the first 80 characters, alone: capitals, in brackets, or behind `level=`. */
const LEVEL_WORD =
  /(?:^|[\s[(|])(TRACE|VERBOSE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|FATAL|CRITICAL|PANIC)(?=[\s\]):|,]|$)|\[(trace|debug|info|notice|warn|warning|error|fatal|crit|critical)\]|\b(?:level|lvl|severity)=["']?([A-Za-z]+)|^(trace|debug|info|warn|warning|error|fatal|panic): /
const LOOK_WITHIN = 80
const TRACE_IN_TEXT = /\btrace[_-]?id["']?\s*[=:]\s*["']?([0-9a-f]{32})\b/i
const SPAN_IN_TEXT = /\bspan[_-]?id["']?\s*[=:]\s*["']?([0-9a-f]{16})\b/i
/** A stack trace of a language that says so; without a word for its level it is an error. */
const CRASH = /^(?:Traceback \(most recent call last\)|panic: |(?:Uncaught )?[A-Z]\w*(?:Error|Exception)\b)/

/**
 * What a line says about itself: its level and its trace, from JSON (pino, bunyan, winston, logback, zap, structlog) or from text.
 *
 * @example readLine('{"level":50,"msg":"no route","trace_id":"0af7651916cd43dd8448eb211c80319c"}').severity // 17
 * @example readLine('2026-11-22 10:00:00 WARN slow query').severity // 13
 */
export function readLine(line: string): LineMeaning {
  if (line.startsWith('{') && line.endsWith('}')) {
    const fields = parsed(line)
    if (fields) return readFields(line, fields)
  }
  return {
    severity: levelInText(line),
    trace: TRACE_IN_TEXT.exec(line)?.[1]?.toLowerCase() ?? '',
    span: SPAN_IN_TEXT.exec(line)?.[1]?.toLowerCase() ?? '',
    text: line,
    attributes: null,
  }
}

function readFields(line: string, fields: Readonly<Record<string, unknown>>): LineMeaning {
  const message = firstText(fields, ['msg', 'message', '@message', 'event', 'body', 'text', 'short_message'])
  return {
    severity: levelOfField(fields['level'] ?? fields['severity'] ?? fields['severityText'] ?? fields['lvl'] ?? fields['log.level'] ?? fields['levelname']),
    trace: hexOf(firstText(fields, ['trace_id', 'traceId', 'traceid', 'trace.id', 'dd.trace_id', 'trace']), 32),
    span: hexOf(firstText(fields, ['span_id', 'spanId', 'spanid', 'span.id', 'span']), 16),
    text: message ?? line,
    attributes: message === null ? null : fields,
  }
}

function levelInText(line: string): number {
  const match = LEVEL_WORD.exec(line.length > LOOK_WITHIN ? line.slice(0, LOOK_WITHIN) : line)
  const word = match?.[1] ?? match?.[2] ?? match?.[3] ?? match?.[4]
  const level = word === undefined ? undefined : NAMES[word.toLowerCase()]
  return level ?? (CRASH.test(line) ? LEVEL.error : LEVEL.unknown)
}

/** A name, or a number of pino and bunyan (10, 20, … 60). */
function levelOfField(field: unknown): number {
  if (typeof field === 'string') return NAMES[field.toLowerCase()] ?? (/^\d+$/.test(field) ? levelOfField(Number(field)) : LEVEL.unknown)
  if (typeof field !== 'number' || field < 10) return LEVEL.unknown
  return [LEVEL.trace, LEVEL.debug, LEVEL.info, LEVEL.warn, LEVEL.error, LEVEL.fatal][Math.min(6, Math.floor(field / 10)) - 1] as number
}

function firstText(fields: Readonly<Record<string, unknown>>, names: readonly string[]): string | null {
  for (const name of names) {
    const value = fields[name]
    if (typeof value === 'string') return value
  }
  return null
}

function hexOf(text: string | null, digits: number): string {
  const hex = text?.toLowerCase() ?? ''
  return hex.length === digits && /^[0-9a-f]+$/.test(hex) && !/^0+$/.test(hex) ? hex : ''
}

function parsed(line: string): Readonly<Record<string, unknown>> | null {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return null
  }
}
