import type { Why } from '../../packages/client/src/types.ts'
import { minutesOf } from './frame/look-back.ts'
import type { Session } from './frame/session.ts'
import { escapeControl } from './output/escape.ts'

/** The service that makes requests slow or fail, in one sentence, with its evidence; without a service, why the newest release was kept or taken back. */
export async function why(session: Session): Promise<undefined> {
  const service = session.args[0]
  if (service === undefined) return (await import('./canary.ts')).why(session)
  const client = await session.client()
  const answer = await client.call('why.show', { params: await session.app(), query: { service, ...minutesOf(session) } })
  await session.print(answer, () => whyLines(session, answer))
}

function whyLines(session: Session, { sentence, since, load, holes, ranked }: Why): string[] {
  const { colours } = session.terminal
  const [first, ...others] = ranked
  return [
    first ? colours.bold(escapeControl(sentence)) : escapeControl(sentence),
    ...(since === null ? [] : [`  since ${since.slice(11, 19)} UTC`]),
    ...(load === null ? [] : [`  load ${rate(load.before)} before, ${rate(load.now)} now`]),
    ...(first ? first.evidence.map((line) => `  ${escapeControl(line)}`) : []),
    ...others.flatMap((it) => [
      '',
      `${colours.dim('less likely')}  ${escapeControl(it.service)}  ${it.kind}`,
      ...it.evidence.map((line) => `  ${escapeControl(line)}`),
    ]),
    ...holes.map(
      (it) =>
        `${colours.yellow('!')} ${Math.round(100 * it.lostShare)} % of the spans of ${escapeControl(it.service)} never came: what it does is known in part`,
    ),
  ]
}

function rate(perSecond: number): string {
  return `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s`
}
