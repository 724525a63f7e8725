import { setTimeout as sleep } from 'node:timers/promises'
import { get } from './installation.ts'

export interface Traffic {
  readonly requests: number
  /** What a person behind a browser would have noticed: no answer, or one that says that something is broken. */
  readonly failures: readonly string[]
  stop(): Promise<Traffic>
}

/** Asks `url` again and again in the background, each time over a new connection, until it is stopped. */
export function traffic(url: string, everyMs = 20): Traffic {
  const failures: string[] = []
  let requests = 0
  const stopping = new AbortController()
  const ended = (async () => {
    while (!stopping.signal.aborted) {
      requests++
      try {
        const { status, body } = await get(url)
        if (status >= 500) failures.push(`${status} ${body.slice(0, 200)}`)
      } catch (error) {
        failures.push((error as Error).message)
      }
      await sleep(everyMs, undefined, { ref: false, signal: stopping.signal }).catch(() => {}) // a test that failed before `stop` still ends
    }
  })()
  const self: Traffic = {
    get requests() {
      return requests
    },
    failures,
    async stop() {
      stopping.abort()
      await ended
      return self
    },
  }
  return self
}
