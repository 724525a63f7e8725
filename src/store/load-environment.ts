import type { EnvironmentRecord, StoredCommand, StoredRelease, Trouble } from '../controllers/journal.ts'
import type { EntryAnswers } from '../core/model/routing.ts'
import { type EnvironmentState, INITIAL_STATE } from '../core/rollout/state.ts'
import type { Query } from './database.ts'

/** How many promoted releases a rollback to "the one before" gets to choose from. */
const ROLLBACK_CHOICE = 5
/** The newest trials that say how much slow requests come together: the worst of them counts. */
export const TRIALS_THAT_COUNT = 5
/** Newest rows of the entry that tell what it answers: seconds of a busy app, days of a quiet one. */
const ANSWER_ROWS = 1_000

/** One statement, so one moment: state, pending commands, and the releases that both name. */
export async function loadEnvironment(query: Query, id: string): Promise<EnvironmentRecord | null> {
  const [row] = await query.prepared<Row>('load-environment', LOAD, [id])
  if (!row) return null
  return {
    id,
    tenant: row.tenant,
    app: row.app,
    environment: row.name,
    appNumber: row.number,
    port: row.port,
    state: { ...INITIAL_STATE, ...row.state },
    trouble: row.trouble,
    commands: row.commands ?? [],
    releases: Object.fromEntries((row.releases ?? []).map((release) => [release.number, release])),
    answers: row.answers,
    designEffect: row.designEffect ?? 1,
  }
}

interface Row {
  readonly number: number
  readonly tenant: string
  readonly app: string
  readonly name: string
  readonly port: number
  readonly state: EnvironmentState
  readonly trouble: Trouble | null
  readonly commands: readonly StoredCommand[] | null
  readonly releases: readonly StoredRelease[] | null
  readonly answers: EntryAnswers | null
  readonly designEffect: number | null
}

/** SQL that makes the JSON object of a `StoredRelease` out of the row `r`. */
export function storedRelease(r: string): string {
  return `json_build_object('number', ${r}.number, 'graph', ${r}.graph, 'artifacts', ${r}.artifacts, 'configuration', ${r}.configuration,
    'source', ${r}.source, 'fingerprints', ${r}.fingerprints, 'origins', ${r}.origins, 'commit', ${r}.commit ->> 'commit', 'promoted', ${r}.promoted_at is not null)`
}

const LOAD = `
with pending as materialized (
  select id, by, command from commands where environment = $1 and consumed_at is null order by id
)
select e.number, e.tenant, e.app, e.name, e.port, e.state, e.trouble,
  (select json_agg(json_build_object('id', p.id, 'by', p.by, 'command', p.command) order by p.id) from pending p) as commands,
  (select json_agg(${storedRelease('r')}) from releases r where r.environment = e.id and r.status = 'ready' and r.number in (
    select unnest(e.named)
    union all select coalesce(p.command ->> 'release', p.command ->> 'to')::int from pending p where p.command ->> 'kind' in ('deploy', 'rollback')
    union all (select n.number from releases n
      where exists (select from pending p where p.command ->> 'kind' = 'rollback' and p.command ->> 'to' is null)
        and n.environment = e.id and n.promoted_at is not null and n.number <> e.current
      order by (n.number < e.current) desc, n.number desc limit ${ROLLBACK_CHOICE})
  )) as releases,
  case when exists (select from pending p where p.command ->> 'kind' = 'deploy') or json_array_length(e.state -> 'waiting') > 0 then (
    select json_build_object('total', coalesce(sum(c.requests - c.aborted), 0), 'html', coalesce(sum(c.html), 0))
    from (select requests, aborted, html from counters where environment = $1 and hop = 'entry' order by stored_at desc limit ${ANSWER_ROWS}) c
  ) end as answers,
  (select max(t.design_effect) from (
    select design_effect from trials where environment = $1 and ended_at is not null order by seq desc limit ${TRIALS_THAT_COUNT}
  ) t) as "designEffect"
from environments e where e.id = $1 and e.removed_at is null`
