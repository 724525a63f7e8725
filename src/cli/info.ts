import type { App, Environment, ReleaseView } from '../../packages/client/src/types.ts'
import type { Session } from './frame/session.ts'
import { escapeControl } from './output/escape.ts'
import { sourceText } from './output/release-text.ts'
import { agoText } from './output/units.ts'
import { statusLines } from './status.ts'

/** All about an app: its environments, what serves and where it came from. */
export async function info(session: Session): Promise<undefined> {
  const params = await session.app('argument')
  const client = await session.client()
  const [app, environment] = await Promise.all([client.call('apps.show', { params: { app: params.app } }), client.call('environments.show', { params })])
  const release = environment.release === null ? null : await client.call('releases.show', { params: { ...params, release: environment.release } })
  await session.print({ app, environment, release }, () => infoLines(session, app, environment, release))
}

function infoLines(session: Session, app: App, environment: Environment, release: ReleaseView | null): string[] {
  const now = session.terminal.now()
  const lines = statusLines(session, environment)
  if (release) {
    lines.push('', `source    ${sourceText(release.source)}`)
    lines.push(`released  ${agoText(Date.parse(release.promotedAt ?? release.createdAt), now)} by ${escapeControl(release.by)}`)
    const variables = Object.entries(release.variables).flatMap(([service, values]) =>
      Object.keys(values).map((name) => (service === '*' ? name : `${service}:${name}`)),
    )
    if (variables.length > 0) lines.push(`variables ${variables.join(' ')}`)
    if (Object.keys(release.secrets).length > 0) lines.push(`secrets   ${Object.keys(release.secrets).join(' ')}`)
    for (const note of release.notes) lines.push(`note      ${escapeControl(note)}`)
  }
  for (const resource of environment.resources) lines.push(`resource  ${resource.kind} ${resource.name} ${resource.phase}`)
  const others = app.environments.filter((it) => it.name !== environment.name)
  for (const other of others) lines.push(`also in   ${other.name}${other.release === null ? '' : ` v${other.release}`} ${other.status}`)
  return lines
}
