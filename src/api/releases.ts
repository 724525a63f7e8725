import type { PlanView } from '../../packages/client/src/types.ts'
import type { SourceRef } from '../core/model/release.ts'
import { WeirError } from '../errors.ts'
import type { EnvironmentRef, ReleaseSummary } from '../store/queries.ts'
import type { NewRelease } from '../store/writes.ts'
import { buildLog } from './build-log.ts'
import { found, labelOf, pageRequest, refOf } from './found.ts'
import { diffOf } from './release-diff.ts'
import { releaseSummaryView, releaseView } from './release-view.ts'
import type { Call, Handlers } from './route.ts'
import { receiveUpload } from './upload.ts'

type Ids =
  | 'uploads.create'
  | 'releases.list'
  | 'releases.create'
  | 'releases.show'
  | 'releases.diff'
  | 'releases.log'
  | 'sources.app'
  | 'plan.create'
  | 'build.verify'
  | 'promote.create'

export const releases: Handlers<Ids> = {
  'uploads.create': receiveUpload,

  'releases.list': async (call) => {
    const ref = refOf(call)
    const environment = found(await call.ports.queries.environment(ref), labelOf(ref))
    const { items, cursor } = await call.ports.queries.releases(ref, pageRequest(call.query))
    return { items: items.map((it) => releaseSummaryView(it, environment.current)), cursor }
  },
  'releases.show': async (call) => {
    const ref = refOf(call)
    const number = call.params.release
    const release = found(await call.ports.queries.release(ref, number), `release v${number} of ${ref.app}/${ref.environment}`, 'weir releases')
    const [environment, rollouts, builds] = await Promise.all([
      call.ports.queries.environment(ref),
      call.ports.queries.rollouts(ref, { limit: RECENT_ROLLOUTS, cursor: null }),
      call.ports.builds.observe(ref, number),
    ])
    const rollout = rollouts.items.find((it) => it.target === number)?.id ?? null
    return releaseView(release, environment?.current ?? null, rollout, builds)
  },
  'releases.diff': async (call) => {
    const ref = refOf(call)
    const of = async (number: number) =>
      found(await call.ports.queries.release(ref, number), `release v${number} of ${ref.app}/${ref.environment}`, 'weir releases')
    return diffOf(await of(call.params.release), await of(call.params.other))
  },
  'releases.log': buildLog,

  'releases.create': async (call) => {
    const release = { source: sourceOf(call), manifest: call.body.manifest, whenBusy: call.body.whenBusy, again: call.body.again, forward: call.body.forward }
    return createRelease(call, release)
  },
  'promote.create': async (call) => {
    const { from, release, whenBusy } = call.body
    if (from === call.params.environment) throw new WeirError('E_USAGE', { message: `${from} cannot be promoted to itself`, next: `weir deploy` })
    if (!(call.principal?.environment === null))
      throw new WeirError('E_FORBIDDEN', { message: 'this token may not do that', cause: `it works in ${call.principal?.environment} only` })
    const source: EnvironmentRef = { tenant: call.tenant, app: call.params.app, environment: from }
    const number = release ?? (await servingIn(call, source))
    return createRelease(call, { source: { kind: 'release', number, environment: from }, manifest: null, whenBusy })
  },

  'sources.app': async (call) => {
    const { source, otherwise } = call.body
    call.ports.checkGitSource(source)
    return { app: await call.ports.planner.appOf(call.tenant, source, otherwise) }
  },
  'plan.create': async (call) => {
    const ref = refOf(call) // one that is not there yet: what the first deploy would do
    const plan = await call.ports.planner.plan(ref, {
      source: sourceOf(call),
      manifest: call.body.manifest,
      whenBusy: call.body.whenBusy,
      again: call.body.again,
      forward: call.body.forward,
    })
    return { app: ref.app, environment: ref.environment, ...(structuredClone(plan) as Omit<PlanView, 'app' | 'environment'>) }
  },
  'build.verify': async (call) => {
    const ref = refOf(call)
    found(await call.ports.queries.environment(ref), labelOf(ref))
    const services = await call.ports.planner.verify(ref, { source: sourceOf(call), manifest: call.body.manifest }, call.body.service)
    return { services: services.map(({ service, differs }) => ({ service, differs: [...differs] })) }
  },
}

/** A rollout to a release that is looked at is seldom older than this many. */
const RECENT_ROLLOUTS = 50

/** What the request said is all that there is to say of a release that nobody has looked at yet. */
function createRelease(call: Pick<Call<'releases.create'>, 'tenant' | 'params' | 'ports' | 'principal' | 'write'>, release: NewRelease) {
  return call.write(async (writer) => {
    const { number } = await writer.createRelease(refOf(call), release)
    const summary: ReleaseSummary = {
      number,
      status: 'queued',
      source: release.source,
      commit: null,
      by: call.principal?.name ?? '',
      followed: false,
      createdAt: new Date(call.ports.now()).toISOString(),
      readyAt: null,
      promotedAt: null,
      because: null,
    }
    return releaseSummaryView(summary, null)
  })
}

async function servingIn(call: Pick<Call<'promote.create'>, 'ports'>, ref: EnvironmentRef): Promise<number> {
  const { current } = found(await call.ports.queries.environment(ref), labelOf(ref))
  if (current === null)
    throw new WeirError('E_CONFLICT', { message: `nothing serves in ${ref.app}/${ref.environment} yet`, next: `weir deploy -e ${ref.environment}` })
  return current
}

/** What can never be fetched is refused here and now, and not by a release that fails later. */
function sourceOf({ body, ports }: Pick<Call<'releases.create'>, 'ports'> & { readonly body: Pick<Call<'releases.create'>['body'], 'source'> }): SourceRef {
  if (body.source.kind === 'git') ports.checkGitSource(body.source)
  return body.source
}
