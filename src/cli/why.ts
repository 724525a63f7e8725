import type { Why } from '../../packages/client/src/types.ts'
import { minutesOf } from './frame/look-back.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'

/** The service that makes requests slow or fail, in one sentence, with its evidence. */
export async function why(session: Session): Promise<undefined> {
  const service = session.args[0]
  if (service === undefined) throw usage('which service?', 'weir why SERVICE')
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
