import type { EvidenceView, RolloutView } from '../../packages/client/src/types.ts'
import { commandTaken } from './frame/command.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'
import { agoText } from './output/units.ts'
import { evidenceLines, trialsLine, verdictText } from './output/verdict-lines.ts'

export async function status(session: Session): Promise<undefined> {
  const context = await session.app()
  const client = await session.client()
  const { rollout } = await client.call('rollout.current', { params: context })
  if (rollout === null) {
    await session.print(null, () => ['no rollout is running; weir canary why shows what the newest release was judged by'])
    return undefined
  }
  const [evidence, trials] = await Promise.all([
    rollout.verdict === null ? null : client.call('rollouts.evidence', { params: { ...context, rollout: rollout.id } }),
    client.call('trials.list', { params: context, query: { limit: TRIALS_SHOWN } }),
  ])
  await session.print({ ...rollout, evidence, trials: trials.items }, () => [
    ...rolloutLines(rollout, session.terminal.now()),
    ...(evidence === null ? [] : [...evidenceLines(session, evidence), '', trialsLine(trials.items)]),
  ])
}

/** Why the running rollout, or the last one that was judged, is or was kept, promoted or taken back. */
export async function why(session: Session): Promise<undefined> {
  const found = await judgedRollout(session)
  await session.print(found, () =>
    found === null
      ? ['no release was judged here yet; strategy: canary in the manifest has the next one judged']
      : [...rolloutLines(found.rollout, session.terminal.now()), ...evidenceLines(session, found.evidence)],
  )
}

/** null: no rollout here was ever judged. */
export async function judgedRollout(session: Session): Promise<{ readonly rollout: RolloutView; readonly evidence: EvidenceView } | null> {
  const params = await session.app()
  const client = await session.client()
  const { items } = await client.call('rollouts.list', { params, query: { limit: ROLLOUTS_LOOKED_AT } })
  const rollout = items.find((it) => it.verdict !== null)
  return rollout ? { rollout, evidence: await client.call('rollouts.evidence', { params: { ...params, rollout: rollout.id } }) } : null
}

const TRIALS_SHOWN = 20
const ROLLOUTS_LOOKED_AT = 20

export async function weight(session: Session): Promise<undefined> {
  const [text = ''] = session.args
  const percent = Number(text.replace(/%$/, ''))
  if (!/^\d+(\.\d+)?%?$/.test(text) || percent > 100)
    throw usage(`"${escapeControl(text)}" is no share`, undefined, 'a number from 0 to 100: weir canary weight 10')
  await steer(session, `the new release gets ${percent} %`, async (client, params) => client.call('rollout.weight', { params, body: { weight: percent } }))
}

export const promote = steering('the new release gets everything', 'rollout.promote')
export const abort = steering('the new release is being taken back', 'rollout.abort')
export const pause = steering('held where it is; weir canary resume lets it go on', 'rollout.pause')
export const resume = steering('it goes on', 'rollout.resume')

/** What is known of a rollout, as a few aligned lines. */
export function rolloutLines(rollout: RolloutView, now: number): string[] {
  const line = (name: string, text: string) => `${name.padEnd(9)} ${text}`
  const step = rollout.phase === 'splitting' && rollout.step !== null ? `, step ${rollout.step + 1}` : ''
  const resume = rollout.waits?.for === 'approval' || rollout.waits?.for === 'decision' ? ' (weir canary resume, promote or abort)' : ''
  return [
    line(
      'rollout',
      `${rollout.kind} of v${rollout.target}${rollout.base === null ? '' : ` over v${rollout.base}`} by ${escapeControl(rollout.by)}, ${agoText(Date.parse(rollout.startedAt), now)}`,
    ),
    line('phase', `${rollout.phase}${rollout.paused ? ', paused' : ''}${step}`),
    line('weight', `v${rollout.target} ${rollout.weight} %${rollout.base === null ? '' : `, v${rollout.base} ${100 - rollout.weight} %`}`),
    ...(rollout.waits === null ? [] : [line('waits', `for ${rollout.waits.for}: ${escapeControl(rollout.waits.text)}${resume}`)]),
    ...(rollout.verdict === null ? [] : [line('verdict', verdictText(rollout.verdict))]),
    ...(rollout.because === null ? [] : [line('because', escapeControl(rollout.because.text))]),
  ]
}

type Steer = 'rollout.promote' | 'rollout.abort' | 'rollout.pause' | 'rollout.resume'
type Call = (client: Awaited<ReturnType<Session['client']>>, params: Awaited<ReturnType<Session['app']>>) => Promise<{ readonly command: number }>

function steering(said: string, route: Steer): (session: Session) => Promise<undefined> {
  return async (session) => steer(session, said, (client, params) => client.call(route, { params }))
}

async function steer(session: Session, said: string, call: Call): Promise<undefined> {
  const context = await session.app()
  const client = await session.client()
  const { command } = await call(client, context)
  const taken = await commandTaken(client, context, command)
  await session.print(taken, () => [said])
}
