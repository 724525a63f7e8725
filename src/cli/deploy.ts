import { deploySource } from './frame/deploy-source.ts'
import { followRelease } from './frame/follow-release.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { timeoutMs } from './frame/wait.ts'
import { plan } from './plan.ts'

/** Makes a release of a folder, a manifest or a repository and shows it going live. */
export async function deploy(session: Session): Promise<number> {
  if (session.flag('dryRun')) return plan(session)
  timeoutMs(session) // refused before a server is asked what the app is called
  const source = await deploySource(session)
  if (session.flag('follow') && source.follow === null)
    throw usage('--follow needs a repository and --branch', 'it names what to look at from now on', 'weir deploy URL --branch main --follow')
  const { context } = source
  const client = await session.client()
  await client.call('apps.create', { params: { app: context.app }, body: { environment: context.environment } })
  await client.call('environments.create', { params: context })
  const request = await source.request(client)
  return followRelease(session, client, context, async () => {
    const how = {
      whenBusy: session.flag('supersede') ? 'supersede' : 'wait',
      ...(session.flag('again') ? { again: true } : {}),
      ...(session.flag('forward') ? { forward: true } : {}),
    } as const
    const release = await client.call('releases.create', { params: context, body: { ...request, ...how } })
    source.link()
    if (session.flag('follow') && source.follow !== null) {
      await client.call('follow.create', { params: context, body: source.follow })
      session.note(`each new commit of ${source.follow.ref} becomes a release; weir follow list shows it`)
    }
    return release
  })
}
