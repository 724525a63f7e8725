import type { AppGraph } from '../core/model/app-graph.ts'
import { type Because, type EnvironmentState, INITIAL_STATE } from '../core/rollout/state.ts'
import type { Query } from './database.ts'
import { afterName, askFor, pageOf } from './page.ts'
import type { AppSummary, EnvironmentDetail, EnvironmentRef, EnvironmentSummary, Page, PageRequest, ReleaseSummary } from './queries.ts'

export async function readApps(query: Query, tenant: string, page: PageRequest): Promise<Page<AppSummary>> {
  const rows = await query.prepared<{ app: string; createdAt: string; environments: SummaryRow[] }>('apps', APPS, [tenant, afterName(page), askFor(page)])
  const apps = rows.map((row) => ({ app: row.app, createdAt: row.createdAt, environments: row.environments.map(summaryOf) }))
  return pageOf(apps, page, (app) => app.app)
}

export async function readEnvironments(query: Query, tenant: string, app: string): Promise<readonly EnvironmentSummary[] | null> {
  const rows = await query.prepared<{ summary: SummaryRow }>('environments', ENVIRONMENTS, [tenant, app])
  return rows.length === 0 ? null : rows.map((row) => summaryOf(row.summary))
}

export async function readEnvironment(query: Query, ref: EnvironmentRef): Promise<EnvironmentDetail | null> {
  const [row] = await query.prepared<DetailRow>('environment', ENVIRONMENT, [ref.tenant, ref.app, ref.environment])
  if (!row) return null
  const { appNumber, createdAt, graph, origins, pendingCommands, revision } = row
  return {
    ...summaryOf(row.summary),
    tenant: ref.tenant,
    app: ref.app,
    appNumber,
    createdAt,
    state: { ...INITIAL_STATE, ...row.state },
    graph,
    origins,
    pendingCommands,
    trouble: row.trouble,
    objectives: row.objectives,
    unbuilt: row.unbuilt ?? [],
    revision,
  }
}

interface SummaryRow {
  readonly id: string
  readonly name: string
  readonly current: number | null
  readonly rollout: string | null
  readonly rollout_target: number
  readonly rollout_phase: string
  readonly rollout_weight: number
  readonly status: EnvironmentSummary['status']
  readonly services: number
  readonly replicas: number
  readonly port: number
  readonly updated_at: string
  readonly newest: { readonly number: number; readonly status: ReleaseSummary['status'] } | null
  readonly routes: EnvironmentSummary['routes'] | null
}
interface DetailRow {
  readonly summary: SummaryRow
  readonly appNumber: number
  readonly createdAt: string
  readonly state: EnvironmentState
  readonly graph: AppGraph | null
  readonly origins: Readonly<Record<string, number>> | null
  readonly pendingCommands: number
  readonly trouble: Because | null
  readonly objectives: EnvironmentDetail['objectives']
  readonly unbuilt: EnvironmentDetail['unbuilt'] | null
  readonly revision: number
}

function summaryOf(row: SummaryRow): EnvironmentSummary {
  const { id, current, newest, status, services, replicas, port } = row
  const rollout = row.rollout === null ? null : { id: row.rollout, target: row.rollout_target, phase: row.rollout_phase, weight: row.rollout_weight }
  return {
    id,
    environment: row.name,
    current,
    newest,
    rollout,
    status,
    services,
    replicas,
    port,
    routes: row.routes ?? [],
    updatedAt: new Date(row.updated_at).toISOString(),
  }
}

/** Of the row `e`; never its state document. */
const SUMMARY = `json_build_object('id', e.id, 'name', e.name, 'current', e.current, 'rollout', e.rollout, 'rollout_target', e.rollout_target,
  'rollout_phase', e.rollout_phase, 'rollout_weight', e.rollout_weight, 'status', e.status, 'services', e.services, 'replicas', e.replicas, 'port', e.port,
  'updated_at', e.updated_at,
  'newest', (select json_build_object('number', n.number, 'status', n.status) from releases n where n.environment = e.id order by n.number desc limit 1),
  'routes', (select json_agg(json_build_object('host', nullif(c.host, ''), 'path', c.path) order by c.host, c.path) from route_claims c where c.environment = e.id))`

const APPS = `
select a.name as app, a.created_at as "createdAt",
  (select json_agg(${SUMMARY} order by e.name) from environments e where e.tenant = a.tenant and e.app = a.name and e.removed_at is null) as environments
from apps a
where a.tenant = $1 and a.name > $2 and exists (select from environments e where e.tenant = a.tenant and e.app = a.name and e.removed_at is null)
order by a.name limit $3`

const ENVIRONMENTS = `
select ${SUMMARY} as summary from environments e where e.tenant = $1 and e.app = $2 and e.removed_at is null order by e.name limit 200`

const ENVIRONMENT = `
select ${SUMMARY} as summary, e.number as "appNumber", e.created_at as "createdAt", e.state, r.graph, r.origins, e.revision, e.trouble, e.objectives,
  (select json_agg(json_build_object('number', u.number, 'because', u.because) order by u.number) from releases u
    where u.environment = e.id and u.status in ('queued', 'building') and u.because is not null) as unbuilt,
  (select count(*) from commands c where c.environment = e.id and c.consumed_at is null) as "pendingCommands"
from environments e left join releases r on r.environment = e.id and r.number = e.current
where e.tenant = $1 and e.app = $2 and e.name = $3 and e.removed_at is null`
