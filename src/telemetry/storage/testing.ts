import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '../../store/database.ts'
import { PostgresTelemetry } from '../../store/postgres-telemetry.ts'
import type { TestPostgres } from '../../store/testing.ts'
import { NameTable } from '../window/name-table.ts'
import { testWindow } from '../window/testing.ts'
import type { TraceWindowOptions } from '../window/trace-window.ts'
import { type StoragePolicy, TelemetryStore } from './store.ts'

/** A window that hands its traces to a store, over a database of its own; time stands still unless told. */
export async function testStorage(postgres: TestPostgres, { policy, window: options }: { policy?: StoragePolicy; window?: Partial<TraceWindowOptions> } = {}) {
  const { address, database } = await postgres.freshStore()
  const names = new NameTable()
  const its = testWindow({ names, onClosed: (closed) => store.traceClosed(closed), ...options })
  const { clock } = its
  const connect = async () => ({ host: address.socketDir, port: address.port, user: address.user, database: address.database })
  const make = () => new TelemetryStore({ connect, names, other: NameTable.OTHER, now: () => clock.nowMs, ...(policy ? { policy } : {}) })
  const store = make()
  return { ...its, names, store, make, address, connect, database: database as Database, queries: new PostgresTelemetry(database, () => clock.nowMs) }
}

/** Waits until it holds, looking every few milliseconds. */
export async function until(holds: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`did not come to hold: ${holds}`)
    await delay(5)
  }
}
