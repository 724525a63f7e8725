import { commandTaken } from './frame/command.ts'
import { conclude } from './frame/conclude.ts'
import { Follower } from './frame/follow.ts'
import { releaseNumber } from './frame/release-name.ts'
import type { Session } from './frame/session.ts'
import { timeoutMs, waits } from './frame/wait.ts'

/** Back to the release before (warm: a routing change) or to the one named; prints the way forward again. */
export async function rollback(session: Session): Promise<number> {
  const [target] = session.args
  const to = target === undefined ? null : releaseNumber(target)
  const timeout = timeoutMs(session)
  const context = await session.app()
  const client = await session.client()
  const follower = new Follower(session, client, context)
  try {
    const { command } = await client.call('rollback.create', { params: context, body: { to, acceptSchema: session.flag('acceptSchema') } })
    if (!waits(session)) {
      await session.print({ ...context, command }, () => ['accepted; weir status shows it'])
      return 0
    }
    const taken = await commandTaken(client, context, command)
    if (taken.rollout === null) {
      await session.print({ ...context, command: taken }, () => ['nothing to do: it serves already'])
      return 0
    }
    const { target: release } = await client.call('rollouts.show', { params: { ...context, rollout: taken.rollout } })
    const ended = await follower.follow({ release, rollout: taken.rollout }, timeout)
    return conclude(session, { ...context, kind: 'rollback', release }, ended)
  } finally {
    follower.close()
  }
}
