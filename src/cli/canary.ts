import type { RolloutView } from '../../packages/client/src/types.ts'
import { commandTaken } from './frame/command.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'
import { agoText } from './output/units.ts'

export async function status(session: Session): Promise<undefined> {
  const context = await session.app()
  const client = await session.client()
  const { rollout } = await client.call('rollout.current', { params: context })
  await session.print(rollout, () => (rollout === null ? ['no rollout is running'] : rolloutLines(rollout, session.terminal.now())))
}

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
  const step = rollout.phase === 'splitting' && rollout.step !== null ? `, step ${rollout.step + 1}, waits for approval (weir canary resume)` : ''
  return [
    line(
      'rollout',
      `${rollout.kind} of v${rollout.target}${rollout.base === null ? '' : ` over v${rollout.base}`} by ${escapeControl(rollout.by)}, ${agoText(Date.parse(rollout.startedAt), now)}`,
    ),
    line('phase', `${rollout.phase}${rollout.paused ? ', paused' : ''}${step}`),
    line('weight', `v${rollout.target} ${rollout.weight} %${rollout.base === null ? '' : `, v${rollout.base} ${100 - rollout.weight} %`}`),
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
