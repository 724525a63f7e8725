import type { Terminal } from '../frame/terminal.ts'

/** A block of lines at the bottom of the terminal that is painted over in place. */
export class LiveBlock {
  readonly #terminal: Terminal
  #shown: readonly string[] = []

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  /** Shows `lines` instead of what stood there; paints nothing when nothing changed. */
  show(lines: readonly string[]): void {
    if (lines.length === this.#shown.length && lines.every((line, at) => line === this.#shown[at])) return
    // one write, so that no half picture is ever seen
    this.#terminal.out(`${this.#rewind()}${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`)
    this.#shown = lines
  }

  /** Takes the block away. */
  clear(): void {
    this.#terminal.out(`${this.#rewind()}\u001b[J`)
    this.#shown = []
  }

  #rewind(): string {
    return this.#shown.length === 0 ? '' : `\u001b[${this.#shown.length}A\r`
  }
}
