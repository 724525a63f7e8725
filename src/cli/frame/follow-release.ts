import type { Client } from '../../../packages/client/src/client.ts'
import type { ReleaseSummary } from '../../../packages/client/src/types.ts'
import { conclude } from './conclude.ts'
import type { AppContext } from './context.ts'
import { Follower } from './follow.ts'
import type { Session } from './session.ts'
import { timeoutMs, waits } from './wait.ts'

/** Makes a release by `create` and follows it to its end: what `deploy`, `promote` and `env apply` have in common. */
export async function followRelease(session: Session, client: Client, context: AppContext, create: () => Promise<ReleaseSummary>): Promise<number> {
  const timeout = timeoutMs(session)
  const follower = waits(session) ? new Follower(session, client, context) : null
  try {
    const release = await create()
    if (!follower) {
      await session.print({ ...context, release }, () => [`v${release.number} of ${context.app} is on its way; weir status shows it`])
      return 0
    }
    const ended = await follower.follow({ release: release.number, rollout: null }, timeout)
    return await conclude(session, { ...context, kind: 'deploy', release: release.number }, ended)
  } finally {
    follower?.close()
  }
}
