import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Epoch } from '../core/model/epoch.ts'
import { compareVersions, type RoutingTable, type TableVersion } from '../core/model/routing.ts'
import { WeirError } from '../errors.ts'

/** An environment's newest table, or only its version once it was withdrawn: so that a late older publish is still refused. */
export interface Kept {
  readonly version: TableVersion
  readonly table: RoutingTable | null
}

/**
 * The routing tables and the highest epoch seen, on disk before anyone is told so (fsync, rename). Each file begins with the
 * CRC-32 of the rest: a torn or damaged one is set aside as `.damaged` and reported, never used; the server publishes again.
 */
export class TableStore {
  readonly #folder: string
  readonly #kept = new Map<string, Kept>()
  readonly damaged: string[] = []
  #epoch: Epoch

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(join(folder, 'tables'), { recursive: true, mode: 0o700 })
    this.#epoch = (this.#read('epoch.json') as { epoch: number } | null)?.epoch ?? 0
    for (const file of readdirSync(join(folder, 'tables'))) {
      if (!file.endsWith('.json')) continue
      const kept = this.#read(join('tables', file)) as Kept | null
      if (kept) this.#kept.set(file.slice(0, -'.json'.length), kept)
    }
    for (const { version } of this.#kept.values()) this.#epoch = Math.max(this.#epoch, version.epoch)
  }

  get epoch(): Epoch {
    return this.#epoch
  }

  get(environment: string): Kept | null {
    return this.#kept.get(environment) ?? null
  }

  tables(): RoutingTable[] {
    return [...this.#kept.values()].flatMap((it) => it.table ?? [])
  }

  /** What must stay out, also of workers that start later. */
  withdrawn(): { readonly environment: string; readonly version: TableVersion }[] {
    return [...this.#kept].flatMap(([environment, { version, table }]) => (table === null ? [{ environment, version }] : []))
  }

  /** @returns false when just this version is there already. */
  put(environment: string, version: TableVersion, table: RoutingTable | null): boolean {
    if (!/^[A-Za-z0-9][-A-Za-z0-9_.]{0,99}$/.test(environment)) throw new WeirError('E_NAME', { message: `"${environment}" is no environment id` })
    const present = this.#kept.get(environment)
    if (present && compareVersions(version, present.version) === 0) return false // said again, by whichever epoch
    this.fence(version.epoch)
    const order = present ? compareVersions(version, present.version) : 1
    if (present && order < 0) throw stale(`version ${version.epoch}.${version.n} of ${environment} is older than ${present.version.epoch}.${present.version.n}`)
    this.#write(join('tables', `${environment}.json`), { version, table } satisfies Kept)
    this.#kept.set(environment, { version, table })
    return true
  }

  /** Refuses a lower epoch, remembers a higher one. */
  fence(epoch: Epoch): void {
    if (epoch < this.#epoch) throw stale(`epoch ${epoch} is over, ${this.#epoch} has begun`)
    if (epoch === this.#epoch) return
    this.#write('epoch.json', { epoch })
    this.#epoch = epoch
    for (const [environment, kept] of this.#kept) {
      if (kept.table !== null) continue
      // No server of an older epoch can publish any more: the mark of the withdrawal has done its work.
      rmSync(join(this.#folder, 'tables', `${environment}.json`), { force: true })
      this.#kept.delete(environment)
    }
  }

  #write(file: string, content: unknown): void {
    const path = join(this.#folder, file)
    const text = JSON.stringify(content)
    try {
      const fd = openSync(`${path}.new`, 'w', 0o600)
      try {
        writeFileSync(fd, `${checksum(text)}\n${text}`) // all of it or an error: a single write may end early where the disk does
        fsyncSync(fd)
      } finally {
        closeSync(fd)
      }
      renameSync(`${path}.new`, path)
      syncFolder(join(path, '..'))
    } catch (error) {
      rmSync(`${path}.new`, { force: true })
      const full = (error as NodeJS.ErrnoException).code === 'ENOSPC'
      throw new WeirError(
        full ? 'E_DISK_FULL' : 'E_STATE',
        { message: 'the routing table cannot be saved', cause: (error as Error).message, state: 'traffic goes on by the previous table' },
        { cause: error },
      )
    }
  }

  #read(file: string): unknown {
    const path = join(this.#folder, file)
    let text: string
    try {
      text = readFileSync(path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
    const line = text.indexOf('\n')
    const body = text.slice(line + 1)
    if (line !== -1 && text.slice(0, line) === checksum(body)) return JSON.parse(body)
    renameSync(path, `${path}.damaged`)
    this.damaged.push(file)
    return null
  }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}

function syncFolder(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function stale(cause: string): WeirError {
  return new WeirError('E_STALE_EPOCH', { message: 'the gateway follows a newer server', cause })
}
