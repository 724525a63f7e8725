/** One line of a replica's output, or one OTLP log record. */
export interface LogEntry {
  readonly atMs: number
  readonly service: string
  readonly release: string
  readonly instance: string
  /** OTLP's severity, 1 … 24; 0: not said. */
  readonly severity: number
  /** Hex digits, 32 and 16; '': none. */
  readonly trace: string
  readonly span: string
  readonly text: string
  readonly attributes: Readonly<Record<string, unknown>> | null
}

/** The first of OTLP's four severities of each name. */
export const LEVEL = { unknown: 0, trace: 1, debug: 5, info: 9, warn: 13, error: 17, fatal: 21 } as const

/** @example levelOf(18) // 17: an error */
export function levelOf(severity: number): number {
  if (!(severity >= 1)) return LEVEL.unknown
  return Math.min(LEVEL.fatal, severity - ((Math.floor(severity) - 1) % 4))
}
