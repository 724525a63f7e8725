import type { Environment } from '../../packages/client/src/types.ts'
import { rolloutLines } from './canary.ts'
import type { Session } from './frame/session.ts'
import { watching } from './frame/watch.ts'
import { escapeControl } from './output/escape.ts'
import { rowsAsTable } from './output/show-table.ts'

/** An app at a glance: which release serves where, how its services are, what is going on. */
export async function status(session: Session): Promise<undefined> {
  const params = await session.app('argument')
  const client = await session.client()
  await watching(session, params, async () => {
    const environment = await client.call('environments.show', { params })
    return { data: environment, lines: () => statusLines(session, environment) }
  })
}

export function statusLines(session: Session, environment: Environment): string[] {
  const { colours } = session.terminal
  const { release, warm, rollout, waiting } = environment
  const serves = release === null ? 'nothing serves yet' : `v${release} serves${warm === null ? '' : colours.dim(`, v${warm} is warm`)}`
  const lines = [
    `${colours.bold(environment.app)} ${colours.dim(environment.name)}  ${environment.status}  ${serves}`,
    ...environment.urls.map((url) => colours.cyan(escapeControl(url))),
  ]
  if (environment.services.length > 0) lines.push('', ...serviceTable(session, environment))
  if (rollout) lines.push('', ...rolloutLines(rollout, session.terminal.now()))
  for (const next of waiting) lines.push(`waiting   ${next.kind} of v${next.target} by ${escapeControl(next.by)}`)
  const troubled = environment.resources.filter((it) => it.phase === 'failed')
  for (const resource of troubled) lines.push(`${colours.yellow('!')} ${resource.kind} ${resource.name}: ${escapeControl(resource.cause ?? 'failed')}`)
  for (const problem of environment.problems) lines.push(`${colours.yellow('!')} ${escapeControl(problem)}`)
  return lines
}

function serviceTable(session: Session, environment: Environment): string[] {
  return rowsAsTable(session, environment.services, [
    { title: 'SERVICE', value: (it) => it.name },
    { title: 'STATUS', value: (it) => it.status },
    { title: 'READY', value: (it) => `${it.ready}/${it.wanted}${it.scaledBy === 'hand' ? ' by hand' : ''}` },
    { title: 'SINCE', value: (it) => (it.origin === null ? '-' : `v${it.origin}`) },
    { title: 'KIND', wide: true, value: (it) => it.kind },
    { title: 'STRATEGY', wide: true, value: (it) => it.strategy },
    { title: 'NEEDS', wide: true, value: (it) => it.dependsOn.join(' ') || '-' },
    { title: 'URL OR CAUSE', flexible: true, value: (it) => escapeControl(it.cause ?? it.urls[0] ?? '') },
  ])
}
