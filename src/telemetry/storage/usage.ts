import type { Session } from './connection.ts'

/** What is held to a budget an environment. */
export type Budgeted = 'traces' | 'logs'
const TABLES: readonly Budgeted[] = ['traces', 'logs']
const HOUR_MS = 3_600_000
/** Trimming stops below this share of the budget, so that it is not needed again at once. */
const TRIM_TO = 0.9

/** Bytes written and not yet in telemetry.usage: written in the same transaction as the rows. */
export class UsageBook {
  #bytes = new Map<string, { environment: number; name: Budgeted; hourMs: number; bytes: number }>()

  note(environment: number, name: Budgeted, atMs: number, bytes: number): void {
    const hourMs = Math.floor(atMs / HOUR_MS) * HOUR_MS
    const key = `${environment} ${name} ${hourMs}`
    const entry = this.#bytes.get(key)
    if (entry) entry.bytes += bytes
    else this.#bytes.set(key, { environment, name, hourMs, bytes })
  }

  /** What writes all that was noted until now; null: nothing was. */
  take(): ((session: Session) => Promise<void>) | null {
    if (this.#bytes.size === 0) return null
    const entries = [...this.#bytes.values()]
    this.#bytes = new Map()
    return async (session) => {
      await session.rows(
        `insert into telemetry.usage as u (environment, name, hour, bytes)
         select environment, name, to_timestamp("hourMs"::float8 / 1000), bytes
         from json_to_recordset($1::json) as x(environment int, name text, "hourMs" bigint, bytes bigint)
         on conflict (name, environment, hour) do update set bytes = u.bytes + excluded.bytes`,
        [JSON.stringify(entries)],
      )
    }
  }
}

/** Bytes of each environment's traces. */
export async function usageOf(session: Session, name: Budgeted): Promise<Map<number, number>> {
  const rows = await session.rows<{ environment: number; bytes: string }>(
    'select environment, sum(bytes) as bytes from telemetry.usage where name = $1 group by environment',
    [name],
  )
  return new Map(rows.map(({ environment, bytes }) => [environment, Number(bytes)]))
}

/** Forgets usage of partitions that are gone, and the oldest hours of environments that have more than their budget. */
export async function trim(session: Session, budgets: Readonly<Record<Budgeted, number>>): Promise<void> {
  await session.rows("delete from telemetry.log_cursors where at < now() - interval '8 days'")
  for (const name of TABLES) {
    await session.rows(
      `delete from telemetry.usage u using telemetry.retention r where r.name = $1 and u.name = $1
       and u.hour < now() - r.keep - r.width and u.hour < coalesce((select min(at) from telemetry.${name}), now())`,
      [name],
    )
    const over = await session.rows<{ environment: number; before: string }>(OVER, [name, budgets[name], TRIM_TO])
    for (const { environment, before } of over) {
      await session.rows(`delete from telemetry.${name} where environment = $1 and at < $2`, [environment, before])
      await session.rows('delete from telemetry.usage where name = $1 and environment = $2 and hour < $3', [name, environment, before])
    }
  }
}

/** For each environment over its budget: the end of the newest hour that has to go, counting from now backwards. */
const OVER = `
select environment, max(hour) + interval '1 hour' as before from (
  select environment, hour, sum(bytes) over (partition by environment order by hour desc) as until_here, sum(bytes) over (partition by environment) as total
  from telemetry.usage where name = $1
) u where total > $2::bigint and until_here > $2::bigint * $3::float8 group by environment`
