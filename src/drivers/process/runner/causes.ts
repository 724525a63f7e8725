import type { ExitStatus } from '../../../core/model/replica.ts'
import { tellingLine } from '../../../core/model/telling-line.ts'

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
