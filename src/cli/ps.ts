import type { ReplicaView } from '../../packages/client/src/types.ts'
import type { Session } from './frame/session.ts'
import { watching } from './frame/watch.ts'
import { escapeControl } from './output/escape.ts'
import { rowsAsTable } from './output/show-table.ts'

/** Replicas, one a line: which release started them, how they are and why not. */
export async function ps(session: Session): Promise<undefined> {
  const params = await session.app('argument')
  const client = await session.client()
  const service = session.text('service')
  await watching(session, params, async () => {
    const environment = await client.call('environments.show', { params })
    const replicas = environment.replicas.filter((it) => service === undefined || it.service === service)
    return { data: replicas, lines: () => (replicas.length === 0 ? ['no replicas'] : replicaTable(session, replicas)) }
  })
}

function replicaTable(session: Session, replicas: readonly ReplicaView[]): string[] {
  return rowsAsTable(session, replicas, [
    { title: 'REPLICA', value: (it) => it.id },
    { title: 'SERVICE', value: (it) => it.service },
    { title: 'RELEASE', value: (it) => `v${it.origin}` },
    { title: 'PHASE', value: (it) => (it.retired ? `${it.phase}, draining` : it.warm ? `${it.phase}, warm` : it.phase) },
    { title: 'RESTARTS', value: (it) => String(it.restarts) },
    { title: 'ADDRESS', wide: true, value: (it) => [it.address ?? '', ...Object.entries(it.ports).map(([name, port]) => `${name}:${port}`)].join(' ') },
    { title: 'CAUSE', flexible: true, value: (it) => escapeControl(it.cause ?? '') },
  ])
}
