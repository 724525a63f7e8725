import { chownSync, closeSync, fchownSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { LAST_LINES, readLastRecords } from '../log-records.ts'

export type LogStream = 'out' | 'err'

export interface LogLimits {
  readonly fileBytes: number
  /** Rotated files beside the present one: `x.jsonl.1` is the youngest. */
  readonly rotated: number
}
export const LOG_LIMITS: LogLimits = { fileBytes: 8 * 1024 * 1024, rotated: 3 }

/**
 * A replica's log: one record a line, `{"time": ms, "stream": "out"|"err"|"weir", "text": …}`, rotated by size and number.
 * Opened with the first line, so that a thousand silent replicas hold no file.
 */
export class LogFile {
  readonly #path: string
  readonly #limits: LogLimits
  readonly #reader: number | null
  #file: number | null = null
  #bytes = 0
  #last: string[] | null = null

  /** `reader`: the group that may read it, beside root. */
  constructor(path: string, reader: number | null, limits: LogLimits = LOG_LIMITS) {
    this.#path = path
    this.#reader = reader
    this.#limits = limits
  }

  /** `weir`: said by the runner about the process. A full disk loses lines, never the process. */
  write(stream: LogStream | 'weir', text: string): void {
    if (stream !== 'weir') this.#remember(text)
    const line = Buffer.from(`${JSON.stringify({ time: Date.now(), stream, text })}\n`)
    try {
      this.#file ??= this.#open()
      if (this.#bytes > 0 && this.#bytes + line.length > this.#limits.fileBytes) this.#rotate()
      writeSync(this.#file, line)
      this.#bytes += line.length
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }

  /** The newest lines that the process wrote, oldest first. */
  lastLines(): readonly string[] {
    this.#last ??= readLastRecords(this.#path, LAST_LINES)
      .filter((it) => it.stream !== 'weir')
      .map((it) => it.text)
    return this.#last
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }

  #remember(text: string): void {
    const last = this.lastLines() as string[]
    last.push(text)
    if (last.length > LAST_LINES) last.shift()
  }

  #open(): number {
    const folder = dirname(this.#path)
    mkdirSync(folder, { recursive: true, mode: 0o750 })
    if (this.#reader !== null) chownSync(folder, 0, this.#reader)
    const file = openSync(this.#path, 'a', 0o640)
    if (this.#reader !== null) fchownSync(file, 0, this.#reader)
    this.#bytes = fstatSync(file).size
    return file
  }

  #rotate(): void {
    this.close()
    if (this.#limits.rotated === 0) rmSync(this.#path)
    for (let n = this.#limits.rotated; n > 0; n--) {
      try {
        renameSync(n === 1 ? this.#path : `${this.#path}.${n - 1}`, `${this.#path}.${n}`)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
    this.#file = this.#open()
  }
}
