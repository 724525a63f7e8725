/**
 * Asks one address without pause over a few kept connections and remembers who answered when: `node hammer.ts URL LANES PAUSE_MS`.
 * Each line on standard input is answered by one line of JSON; the end of it ends the program. Times are nanoseconds of the
 * machine's monotonic clock, which all processes share.
 */
import { Agent, get } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'

export interface Sighting {
  /** When the first answer came, when the last one did. */
  first: number
  last: number
  answers: number
}

export interface Sightings {
  readonly requests: number
  readonly failures: readonly string[]
  readonly releases: Readonly<Record<string, Sighting>>
  readonly replicas: Readonly<Record<string, Sighting>>
}

const [url = '', lanes = '4', pauseMs = '1'] = process.argv.slice(2)
const releases: Record<string, Sighting> = {}
const replicas: Record<string, Sighting> = {}
const failures: string[] = []
let requests = 0

async function lane(): Promise<never> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (;;) {
    requests++
    try {
      const { release, replica } = JSON.parse(await ask(agent)) as { release: string; replica: string }
      see(releases, release)
      see(replicas, replica)
    } catch (error) {
      failures.push((error as Error).message)
    }
    await pause(Number(pauseMs))
  }
}

function ask(agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = get(url, { agent }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => (response.statusCode === 200 ? resolve(body) : reject(new Error(`${response.statusCode} ${body}`))))
      response.on('error', reject)
    })
    sent.on('error', reject)
  })
}

function see(all: Record<string, Sighting>, who: string): void {
  const now = Number(process.hrtime.bigint())
  const seen = (all[who] ??= { first: now, last: now, answers: 0 })
  seen.last = now
  seen.answers++
}

for (let n = 0; n < Number(lanes); n++) void lane()
createInterface({ input: process.stdin })
  .on('line', () => process.stdout.write(`${JSON.stringify({ requests, failures: failures.slice(0, 20), releases, replicas } satisfies Sightings)}\n`))
  .on('close', () => process.exit(0))
