import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { LogRecord } from '../logs.ts'

/** How many lines are shown beside a cause. */
export const LAST_LINES = 20
/** Lines are at most some 16 KiB long, most far shorter. */
const TAIL_BYTES = 64 * 1024

/** The newest records of one file, oldest first; empty when there is no file. */
export function readLastRecords(path: string, count: number): LogRecord[] {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return []
  }
  try {
    const { size } = fstatSync(file)
    const from = Math.max(0, size - TAIL_BYTES)
    const bytes = Buffer.alloc(size - from)
    readSync(file, bytes, 0, bytes.length, from)
    const lines = bytes.toString('utf8').split('\n')
    if (from > 0) lines.shift() // most likely half a line
    return lines
      .map(parseRecord)
      .filter((it) => it !== null)
      .slice(-count)
  } finally {
    closeSync(file)
  }
}

/** null: the line is torn or empty. */
export function parseRecord(line: string): LogRecord | null {
  if (!line.endsWith('}')) return null
  try {
    return JSON.parse(line) as LogRecord
  } catch {
    return null
  }
}
