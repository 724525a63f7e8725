import { readdirSync, readFileSync } from 'node:fs'
import { WeirError } from '../errors.ts'
import type { Database } from './database.ts'

const FOLDER = new URL('./migrations/', import.meta.url)

export interface Migration {
  readonly version: number
  readonly sql: string
}

/** `0001-initial.sql`, … in order; the numbers leave no gap. */
export function knownMigrations(): readonly Migration[] {
  const files = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.sql'))
    .sort()
  return files.map((name, index) => {
    const version = Number(name.slice(0, 4))
    if (version !== index + 1) throw new Error(`migrations/${name}: expected number ${index + 1}`)
    return { version, sql: readFileSync(new URL(name, FOLDER), 'utf8') }
  })
}

/**
 * Brings the schema `weir` of the database to the newest version, all steps in one transaction: it is as before or as after, never
 * between. Two servers may call it at once. A schema that this version does not know is refused with `E_STATE` (exit 78).
 */
export async function migrate(database: Database, migrations: readonly Migration[] = knownMigrations()): Promise<number> {
  const newest = migrations.length
  return database.transaction(async (query) => {
    await query.rows('set local statement_timeout = 0')
    await query.rows('select pg_advisory_xact_lock(hashtext($1))', ['weir migrate'])
    await query.rows('create schema if not exists weir')
    const [present] = await query.rows<{ tables: number; versioned: boolean }>(
      `select count(*) as tables, coalesce(bool_or(table_name = 'schema_version'), false) as versioned from information_schema.tables where table_schema = 'weir'`,
    )
    if (present && present.tables > 0 && !present.versioned) throw unknown('it has tables, but no version', newest)
    await query.rows(
      'create table if not exists schema_version (only_one boolean primary key default true check (only_one), version int not null, at timestamptz not null default now())',
    )
    const [row] = await query.rows<{ version: number }>('select version from schema_version')
    const version = row?.version ?? 0
    if (version > newest || version < 0) throw unknown(`its version is ${version}`, newest)
    for (const migration of migrations.slice(version)) await query.rows(migration.sql)
    if (version < newest) {
      await query.rows('insert into schema_version (version) values ($1) on conflict (only_one) do update set version = excluded.version, at = now()', [newest])
    }
    return newest
  }, null)
}

function unknown(found: string, newest: number): WeirError {
  return new WeirError('E_STATE', {
    message: "the database's schema is not one that this version of Weir knows",
    cause: `${found}; this version knows 1 to ${newest}`,
    state: 'nothing was changed',
    next: 'run the newer version of Weir that wrote it, or restore a backup',
  })
}
