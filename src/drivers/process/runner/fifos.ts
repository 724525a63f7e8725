import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const POOL = 32

/**
 * Named pipes, made ahead: only a program can make one, and starting it would cost each replica some milliseconds.
 */
export class FifoPool {
  readonly #folder: string
  readonly #mkfifo: string
  #ready: string[] = []
  #serial = 0
  #making = false

  constructor(folder: string, mkfifo: string) {
    this.#folder = folder
    this.#mkfifo = mkfifo
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    for (const name of readdirSync(folder)) rmSync(join(folder, name)) // what a runner before us left
    this.#refill()
  }

  /** Puts a new pipe at `path`, in place of one that is there. */
  take(path: string): void {
    const ready = this.#ready.pop()
    if (ready) {
      renameSync(ready, path)
    } else {
      rmSync(path, { force: true })
      execFileSync(this.#mkfifo, ['-m', '600', path])
    }
    if (this.#ready.length < POOL / 2) this.#refill()
  }

  #refill(): void {
    if (this.#making) return
    this.#making = true
    const names = Array.from({ length: POOL }, () => join(this.#folder, String(this.#serial++)))
    execFile(this.#mkfifo, ['-m', '600', ...names], (error) => {
      this.#making = false
      if (!error) this.#ready.push(...names)
    })
  }
}
