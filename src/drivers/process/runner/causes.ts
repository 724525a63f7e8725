import type { ExitStatus } from '../../../core/model/replica.ts'

/**
 * The words for how a process ended, with the line that a person would have looked for.
 *
 * @example describeExit({ kind: 'code', code: 1 }, ['Error: connect ECONNREFUSED 127.0.0.1:5432', '    at …'], 256)
 * // "exited with 1: Error: connect ECONNREFUSED 127.0.0.1:5432"
 */
export function describeExit(exit: ExitStatus, lines: readonly string[], memoryBytes: number): string {
  const line = tellingLine(lines)
  return line === null ? wordsFor(exit, memoryBytes) : `${wordsFor(exit, memoryBytes)}: ${line}`
}

function wordsFor(exit: ExitStatus, memoryBytes: number): string {
  switch (exit.kind) {
    case 'code':
      return `exited with ${exit.code}`
    case 'signal':
      return `ended by ${exit.signal}`
    case 'oom':
      return `out of memory (limit ${Math.round(memoryBytes / 1024 / 1024)} MiB)`
    case 'timeout':
      return 'ended by its time limit'
    case 'unknown':
      return 'ended while nobody watched (exit status unknown)'
  }
}

/** `TypeError: …`, `java.io.IOException: …`, `Error [ERR_X]: …`, `panic: …`, `fatal: …`, `error: …` */
const NAMES_AN_ERROR = /^(?:Uncaught |Exception in thread "[^"]*" )?[\w.$]*(?:Error|Exception)\b[^:]*:|^(?:panic|fatal|error|setpriv|sh|bash|node)\b[^:]*: /i
/** Stack frames, carets, brackets, Node's closing line: they surround the line that matters. */
const SURROUNDS = /^\s*at |^\s*File "|^Traceback |^Node\.js v|^goroutine \d+|^[\s^~{}()[\];,]*$|^npm (?:error|ERR!) (?:A complete log|code|path|command|signal)/

/** The last line that names an error, else the last that is not the surroundings of one; null when there is none. */
export function tellingLine(lines: readonly string[]): string | null {
  const candidates = lines.filter((line) => !SURROUNDS.test(line))
  const line = candidates.findLast((it) => NAMES_AN_ERROR.test(it)) ?? candidates.at(-1)
  return line === undefined ? null : line.trim().slice(0, 300)
}
