import type { ReleaseDiff, ReleaseView } from '../../packages/client/src/types.ts'
import { everyPage } from './frame/pages.ts'
import { releaseNumber } from './frame/release-name.ts'
import type { Session } from './frame/session.ts'
import { escapeControl } from './output/escape.ts'
import { releaseState, sourceText } from './output/release-text.ts'
import { rowsAsTable, showTable } from './output/show-table.ts'
import { agoText, bytesText } from './output/units.ts'
import { evidenceLines, verdictText } from './output/verdict-lines.ts'

const DEFAULT_ROWS = 20

export async function list(session: Session): Promise<undefined> {
  const params = await session.app()
  const client = await session.client()
  const atMost = session.count('lines') ?? DEFAULT_ROWS
  const releases = await everyPage((cursor) => client.call('releases.list', { params, query: { limit: Math.min(200, atMost), ...cursor } }), atMost)
  const now = session.terminal.now()
  await showTable(
    session,
    releases,
    [
      { title: 'RELEASE', value: (it) => `v${it.number}` },
      { title: 'STATE', value: releaseState },
      { title: 'WHEN', value: (it) => agoText(Date.parse(it.createdAt), now) },
      { title: 'BY', value: (it) => escapeControl(it.followed ? `${it.by} (followed)` : it.by) },
      { title: 'SOURCE', flexible: true, value: (it) => sourceText(it.source) },
      { title: 'BECAUSE', wide: true, value: (it) => escapeControl(it.because?.text ?? '') },
    ],
    'no releases yet; next: weir deploy',
  )
}

export async function show(session: Session): Promise<undefined> {
  const params = { ...(await session.app()), release: releaseNumber(session.args[0] ?? '') }
  const client = await session.client()
  const release = await client.call('releases.show', { params })
  const { app, environment } = params
  const rollout = release.rollout === null ? null : await client.call('rollouts.show', { params: { app, environment, rollout: release.rollout } })
  const evidence =
    rollout === null || rollout.verdict === null
      ? null
      : await client.call('rollouts.evidence', { params: { app, environment, rollout: rollout.id }, query: { replay: session.flag('replay') } })
  await session.print({ ...release, evidence }, () => [
    ...releaseLines(session, release),
    ...(evidence === null ? [] : ['', `verdict   ${verdictText(evidence.verdict)}`, ...evidenceLines(session, evidence)]),
  ])
}

export async function diff(session: Session): Promise<undefined> {
  const [from = '', to = ''] = session.args
  const params = { ...(await session.app()), release: releaseNumber(from), other: releaseNumber(to) }
  const client = await session.client()
  const difference = await client.call('releases.diff', { params })
  await session.print(difference, () => diffLines(session, difference))
}

function releaseLines(session: Session, release: ReleaseView): string[] {
  const lines = [
    `release   v${release.number} ${releaseState(release)}`,
    `source    ${sourceText(release.source)}`,
    `by        ${escapeControl(release.by)}, ${agoText(Date.parse(release.createdAt), session.terminal.now())}`,
  ]
  if (release.because) {
    lines.push(`because   ${escapeControl(release.because.text)}`)
    for (const line of release.because.lines) lines.push(`          ${escapeControl(line)}`)
  }
  for (const note of release.notes) lines.push(`note      ${escapeControl(note)}`)
  if (release.services.length === 0) return lines
  const table = rowsAsTable(session, release.services, [
    { title: 'SERVICE', value: (it) => it.name },
    { title: 'SINCE', value: (it) => (it.origin === null ? '-' : `v${it.origin}`) },
    { title: 'ARTIFACT', value: (it) => it.artifact?.digest.slice(0, 19) ?? '-' },
    { title: 'SIZE', value: (it) => (it.artifact ? bytesText(it.artifact.bytes) : '-') },
    { title: 'COMMAND', flexible: true, value: (it) => escapeControl(it.command?.join(' ') ?? '-') },
  ])
  return [...lines, '', ...table]
}

const SIGNS = { added: '+', changed: '~', removed: '-' } as const

function diffLines(session: Session, difference: ReleaseDiff): string[] {
  const { colours } = session.terminal
  const paint = { added: colours.green, changed: colours.yellow, removed: colours.red }
  const sign = (change: keyof typeof SIGNS) => paint[change](SIGNS[change])
  const fromTo = (it: { what: string; from: string | null; to: string | null }) =>
    `    ${it.what}: ${escapeControl(it.from ?? '–')} → ${escapeControl(it.to ?? '–')}`
  const lines: string[] = []
  for (const service of difference.services) {
    lines.push(
      `${sign(service.change)} ${service.name}${service.reasons.length === 0 ? '' : `  ${colours.dim(service.reasons.join(', '))}`}`,
      ...service.changes.map(fromTo),
    )
  }
  for (const resource of difference.resources) lines.push(`${sign(resource.change)} resource ${resource.name}`)
  for (const job of difference.jobs) lines.push(`${sign(job.change)} job ${job.name}`)
  if (difference.configuration.length > 0) lines.push('configuration', ...difference.configuration.map(fromTo))
  return lines.length === 0 ? [`v${difference.from} and v${difference.to} do not differ`] : lines
}
