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

function whyLines(session: Session, { sentence, ranked }: Why): string[] {
  const { colours } = session.terminal
  const [first, ...others] = ranked
  return [
    first ? colours.bold(escapeControl(sentence)) : escapeControl(sentence),
    ...(first ? first.evidence.map((line) => `  ${escapeControl(line)}`) : []),
    ...others.flatMap((it) => [
      '',
      `${colours.dim('less likely')}  ${escapeControl(it.service)}  ${it.kind}`,
      ...it.evidence.map((line) => `  ${escapeControl(line)}`),
    ]),
  ]
}
