import { execFile } from 'node:child_process'

const EVERY_MS = 1_000
/** Looking takes at most this share of the time, however many files there are. */
const SHARE = 0.1

/** Tells once when files and folders together hold more than a limit. `du` looks, so that a million files do not stop the runner. */
export class DiskWatch {
  #stopped = false
  #timer: NodeJS.Timeout

  constructor(paths: readonly string[], limitBytes: number, over: () => void) {
    const look = () => {
      const began = performance.now()
      execFile('du', ['-s', '-x', '-c', '-B', '1', '--', ...paths], (_error, stdout) => {
        // Files that vanish meanwhile make `du` exit with 1; its total is still the best there is.
        if (this.#stopped) return
        const bytes = Number(/^(\d+)\ttotal$/m.exec(stdout)?.[1] ?? 0)
        if (bytes > limitBytes) return over()
        this.#timer = setTimeout(look, Math.max(EVERY_MS, (performance.now() - began) / SHARE))
      })
    }
    this.#timer = setTimeout(look, EVERY_MS)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }
}
