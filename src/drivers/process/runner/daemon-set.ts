import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { WeirError } from '../../../errors.ts'
import type { DaemonSpec, ObservedDaemon } from '../../daemons.ts'
import { Daemon, type DaemonRecord } from './daemon.ts'
import { readRecords } from './durable.ts'
import type { FifoPool } from './fifos.ts'
import type { Machine } from './machine.ts'

export class DaemonSet {
  readonly #machine: Machine
  readonly #fifos: FifoPool
  readonly #daemons = new Map<string, Daemon>()

  constructor(machine: Machine, fifos: FifoPool) {
    this.#machine = machine
    this.#fifos = fifos
    for (const record of readRecords<DaemonRecord>(join(machine.paths.runner, 'daemons'))) {
      const daemon = new Daemon(machine, fifos, record)
      this.#daemons.set(record.spec.name, daemon)
    }
  }

  /** Takes over from a runner that is no more. */
  resume(): void {
    for (const daemon of this.#daemons.values()) daemon.resume()
  }

  async ensure(spec: DaemonSpec): Promise<void> {
    if (!/^[a-z][-a-z0-9]{0,39}$/.test(spec.name)) throw new WeirError('E_NAME', { message: 'a name that no daemon can have' })
    const known = this.#daemons.get(spec.name)
    if (known) return known.replace(spec)
    const daemon = new Daemon(this.#machine, this.#fifos, { spec, token: randomBytes(16).toString('hex'), process: null })
    this.#daemons.set(spec.name, daemon)
    daemon.begin()
  }

  async stop(name: string): Promise<void> {
    const daemon = this.#daemons.get(name)
    if (!daemon) return
    await daemon.stop()
    this.#daemons.delete(name)
  }

  /** Databases last: the others use them until their end. */
  async stopAll(): Promise<void> {
    const isDatabase = (name: string) => this.#daemons.get(name)?.spec.account === 'postgres'
    const names = [...this.#daemons.keys()]
    await Promise.all(names.filter((name) => !isDatabase(name)).map((name) => this.stop(name)))
    await Promise.all(names.filter(isDatabase).map((name) => this.stop(name)))
  }

  /** null: it is not wanted. */
  spec(name: string): DaemonSpec | null {
    return this.#daemons.get(name)?.spec ?? null
  }

  async list(): Promise<readonly ObservedDaemon[]> {
    return [...this.#daemons.values()].map((daemon) => daemon.observe())
  }
}
