import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

/** A program of this folder in a process of its own, so that who measures does not slow down who loads. It answers each line with a line of JSON. */
export class LoadProcess<Answer> {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #ended: Promise<void>
  #waiting: { readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void }[] = []

  constructor(program: string, ...args: readonly (string | number)[]) {
    this.#child = spawn(process.execPath, [join(import.meta.dirname, program), ...args.map(String)], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child.stdin.on('error', () => {}) // its end says more
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#waiting.shift()?.resolve(JSON.parse(line) as Answer))
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        for (const { reject } of this.#waiting.splice(0)) reject(new Error(`${program} ended with ${signal ?? code}`))
        resolve()
      })
    })
  }

  ask(question = ''): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#child.stdin.write(`${question}\n`)
    })
  }

  async end(): Promise<void> {
    this.#child.stdin.end()
    await this.#ended
  }
}

/** The clock of `Sighting`. */
export function nanoseconds(): number {
  return Number(process.hrtime.bigint())
}
