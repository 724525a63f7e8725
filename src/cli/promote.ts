import { checkedName } from './frame/context.ts'
import { followRelease } from './frame/follow-release.ts'
import type { Session } from './frame/session.ts'

/** Releases in `to` the artifacts that serve in `from`: the same digests, nothing is built again. */
export async function promote(session: Session): Promise<number> {
  const [from = '', to = ''] = session.args
  const { app } = await session.app()
  const context = { app, environment: checkedName('environment', to) }
  const client = await session.client()
  await client.call('environments.create', { params: context })
  return followRelease(session, client, context, () => client.call('promote.create', { params: context, body: { from: checkedName('environment', from) } }))
}
