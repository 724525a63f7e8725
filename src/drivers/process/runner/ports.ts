import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { WeirError } from '../../../errors.ts'
import { readRecord, writeRecord } from './durable.ts'
import { portsInUse } from './listeners.ts'

export const FIRST_PORT = 20_000
export const PORT_COUNT = 10_000
/** How often the place is written down: after a crash at most so many numbers are skipped. */
const AHEAD = 100
/** The kernel walks over all connections of the machine to list ports in use: once for replicas that start together. */
const LOOK_EVERY_MS = 1_000

/**
 * Gives out port numbers in a ring, so that one which was just left is the last to come again: a late request of the gateway
 * meets nobody rather than a stranger.
 */
export class Ports {
  readonly #file: string
  readonly #taken = new Set<number>()
  #next: number
  #writtenDown: number
  #inUse: { readonly ports: ReadonlySet<number>; readonly at: number } | null = null

  constructor(folder: string, installation: string) {
    this.#file = join(folder, 'ports.json')
    // Installations on one machine begin at different places, so that they seldom try for the same number.
    const start = createHash('sha256').update(installation).digest().readUInt32BE() % PORT_COUNT
    this.#next = readRecord<{ next: number }>(this.#file)?.next ?? start
    this.#writtenDown = this.#next
  }

  /** Numbers that survived in a record. */
  keep(ports: readonly number[]): void {
    for (const port of ports) this.#taken.add(port)
  }

  allocate(count: number): number[] {
    if (count === 0) return []
    const inUse = this.#portsInUse()
    const found: number[] = []
    for (let tried = 0; tried < PORT_COUNT && found.length < count; tried++) {
      const port = FIRST_PORT + (this.#next++ % PORT_COUNT)
      if (!this.#taken.has(port) && !inUse.has(port)) found.push(port)
    }
    if (found.length < count)
      throw new WeirError('E_UNAVAILABLE', {
        message: 'no port left for another replica',
        cause: `${FIRST_PORT}–${FIRST_PORT + PORT_COUNT - 1} are all in use`,
      })
    if (this.#next > this.#writtenDown) {
      this.#writtenDown = this.#next + AHEAD
      writeRecord(this.#file, { next: this.#writtenDown % PORT_COUNT }, { durable: false })
    }
    this.keep(found)
    return found
  }

  #portsInUse(): ReadonlySet<number> {
    const now = performance.now()
    if (this.#inUse === null || now - this.#inUse.at > LOOK_EVERY_MS) this.#inUse = { ports: portsInUse(), at: now }
    return this.#inUse.ports
  }

  release(ports: readonly number[]): void {
    for (const port of ports) this.#taken.delete(port)
  }

  taken(): number[] {
    return [...this.#taken].sort((a, b) => a - b)
  }
}
