import { closeSync, mkdirSync, openSync, rmSync, writevSync } from 'node:fs'
import { join } from 'node:path'
import type { NamedEnvironment } from '../telemetry.ts'
import type { Sender } from '../window/trace-window.ts'
import { frame, RECORD, TRACE_BYTES, traceInto } from './records.ts'

/** A trace is closed two seconds after its last span and committed about a second later; what is older than one to two of these is not needed. */
const TURN_MS = 5_000
/** Of one file, of which there are two; beyond, requests are left out: at such a load writing them would cost more than a kill. */
const MOST_BYTES = 96 * 2 ** 20
const CLOSED_AT_ONCE = 4096

export interface JournalOptions {
  readonly folder: string
  /** Tells this process's journal from those before it. */
  readonly name: string
  readonly now: () => number
  readonly log: (line: string) => void
}

/**
 * What was taken in during the last seconds, in two files that take turns, for the process that comes after a kill. Nothing is synced to the
 * disk: the kernel keeps what a killed process wrote. Traces are numbered as they are closed, so that one number, kept in the transaction of
 * the counts, says which of them are in it.
 *
 * @example
 * const journal = new Journal({ folder, name: 'a1b2', now: Date.now, log })
 * journal.request(12, request)
 * journal.closed(12, columns.trace, 4 * row)
 * journal.mark() // 1: kept with what was counted until now
 */
export class Journal {
  readonly name: string
  readonly #options: JournalOptions
  readonly #closed = Buffer.allocUnsafe(CLOSED_AT_ONCE * TRACE_BYTES)
  #waiting = 0
  #closings = 0
  #environments: readonly NamedEnvironment[] = []
  #file: { readonly descriptor: number; readonly path: string; readonly sinceMs: number; bytes: number } | null = null
  #before: string | null = null
  #turns = 0
  /** Requests that are in no file, for want of room in it: a kill would lose them. */
  skipped = 0
  #broken = false

  constructor(options: JournalOptions) {
    this.name = options.name
    this.#options = options
  }

  request(sender: Sender, request: Uint8Array): void {
    const file = this.#turn()
    if (file === null) return
    if (file.bytes + request.length > MOST_BYTES) {
      if (this.skipped++ === 0) this.#options.log('journal: more comes in than it takes; a kill would lose what is left out')
      return
    }
    this.#write(RECORD.request, Buffer.from(String(sender)), request)
  }

  /** The trace whose id lies at `at` of `words` is counted from now on. */
  closed(scope: number, words: Uint32Array, at: number): void {
    if (this.#waiting === CLOSED_AT_ONCE) this.#writeClosed()
    traceInto(this.#closed, TRACE_BYTES * this.#waiting++, scope, words, at)
    this.#closings++
  }

  /** A number for all that was closed until now. */
  mark(): number {
    this.#writeClosed()
    return this.#closings
  }

  /** Traces that a journal before this one has, and that are counted. */
  before(kind: 'counted' | 'drawn', traces: Uint8Array): void {
    if (this.#turn() !== null) this.#write(RECORD[kind], traces)
  }

  know(environments: readonly NamedEnvironment[]): void {
    this.#environments = environments
    if (this.#turn() !== null) this.#writeEnvironments()
  }

  close(): void {
    this.#writeClosed()
    if (this.#file) closeSync(this.#file.descriptor)
    this.#file = null
    this.#broken = true
  }

  #writeClosed(): void {
    if (this.#waiting === 0) return
    const traces = this.#closed.subarray(0, this.#waiting * TRACE_BYTES)
    const first = Buffer.alloc(8)
    first.writeDoubleLE(this.#closings - this.#waiting)
    this.#waiting = 0
    if (this.#turn() !== null) this.#write(RECORD.closed, first, traces)
  }

  #writeEnvironments(): void {
    if (this.#environments.length > 0) this.#write(RECORD.environments, Buffer.from(JSON.stringify(this.#environments)))
  }

  /** The file to write into; null: there is none, and telemetry goes on without. */
  #turn(): { bytes: number } | null {
    const nowMs = this.#options.now()
    if (this.#broken || (this.#file !== null && Math.abs(nowMs - this.#file.sinceMs) < TURN_MS)) return this.#file
    try {
      if (this.#before !== null) rmSync(this.#before, { force: true })
      this.#before = this.#file?.path ?? null
      if (this.#file) closeSync(this.#file.descriptor)
      this.#file = null
      mkdirSync(this.#options.folder, { recursive: true, mode: 0o700 })
      const path = join(this.#options.folder, `${this.name}-${++this.#turns}.journal`)
      this.#file = { descriptor: openSync(path, 'w', 0o600), path, sinceMs: nowMs, bytes: 0 }
      this.#writeEnvironments()
    } catch (error) {
      this.#fail(error)
    }
    return this.#file
  }

  #write(kind: number, head: Uint8Array, body: Uint8Array = new Uint8Array(0)): void {
    const file = this.#file
    if (file === null) return
    try {
      const parts = [frame(kind, head.length, body.length), head, body]
      const written = writevSync(file.descriptor, parts)
      if (written < parts.reduce((sum, part) => sum + part.length, 0)) throw new Error('the disk is full')
      file.bytes += written
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#options.log(`journal: ${error instanceof Error ? error.message : String(error)}; a kill loses what is not counted`)
    if (this.#file) closeSync(this.#file.descriptor)
    this.#file = null
    this.#broken = true
  }
}
