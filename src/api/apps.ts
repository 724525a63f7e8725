import type { App, EnvironmentSummary as SummaryView } from '../../packages/client/src/types.ts'
import { WeirError } from '../errors.ts'
import type { AppSummary, EnvironmentSummary } from '../store/queries.ts'
import { urlsOf } from './addresses.ts'
import { found, pageOf, pageRequest, refOf } from './found.ts'
import type { ApiOptions } from './options.ts'
import type { Call, Handlers } from './route.ts'

type Ids = 'apps.list' | 'apps.create' | 'apps.show' | 'apps.remove' | 'environments.list' | 'environments.create' | 'environments.remove'

/** Apps and their environments, from columns beside the state: no list ever loads a state document. */
export const apps: Handlers<Ids> = {
  'apps.list': async ({ principal, tenant, query, ports, options }) => {
    const place = principal?.environment?.split('/')
    if (place) {
      const [app = '', environment = ''] = place
      const only = (await ports.queries.environments(tenant, app))?.filter((it) => it.environment === environment) ?? []
      return { items: only.length === 0 ? [] : [appView({ app, createdAt: null, environments: only }, options)], cursor: null }
    }
    const { items, cursor } = await ports.queries.apps(tenant, pageRequest(query))
    return { items: items.map((it) => appView(it, options)), cursor }
  },
  'apps.show': async (call) => appView({ app: call.params.app, createdAt: null, environments: await visible(call) }, call.options),
  'apps.create': ({ params, body, tenant, ports, options, write }) =>
    write(async (writer) => {
      await writer.ensureEnvironment({ tenant, app: params.app, environment: body.environment })
      const there = (await ports.queries.environments(tenant, params.app)) ?? []
      const environments = there.map((it) => summaryView(it, options))
      if (!there.some((it) => it.environment === body.environment)) environments.push(newEnvironment(body.environment, ports.now()))
      return { name: params.app, createdAt: null, environments }
    }),
  'apps.remove': ({ params, query, tenant, ports, write }) => {
    confirmed(params.app, query.confirm)
    return write(async (writer) => {
      const environments = found(await ports.queries.environments(tenant, params.app), `app ${params.app}`)
      const commands = []
      for (const { environment } of environments) {
        const command = await writer.addCommand({ tenant, app: params.app, environment }, { kind: 'remove', withData: query.withData })
        commands.push({ environment, command })
      }
      return { commands }
    })
  },

  'environments.list': async (call) =>
    pageOf(
      (await visible(call)).map((it) => summaryView(it, call.options)),
      (it) => it.name,
      call.query,
    ),
  'environments.create': (call) =>
    call.write(async (writer) => {
      await writer.ensureEnvironment(refOf(call))
      const { app, environment } = call.params
      const there = (await call.ports.queries.environments(call.tenant, app))?.find((it) => it.environment === environment)
      return there ? summaryView(there, call.options) : newEnvironment(environment, call.ports.now())
    }),
  'environments.remove': (call) => {
    confirmed(call.params.environment, call.query.confirm)
    return call.write(async (writer) => ({ command: await writer.addCommand(refOf(call), { kind: 'remove', withData: call.query.withData }) }))
  },
}

function appView({ app, createdAt, environments }: Omit<AppSummary, 'createdAt'> & { readonly createdAt: string | null }, options: ApiOptions): App {
  return { name: app, createdAt, environments: environments.map((it) => summaryView(it, options)) }
}

export function summaryView(it: EnvironmentSummary, options: ApiOptions): SummaryView {
  return {
    name: it.environment,
    status: it.status,
    release: it.current,
    newest: it.newest,
    rollout: it.rollout,
    serviceCount: it.services,
    replicaCount: it.replicas,
    urls: urlsOf(it, options.gateway),
    updatedAt: it.updatedAt,
  }
}

/** In the same transaction that makes it, nobody else sees it yet. */
function newEnvironment(name: string, now: number): SummaryView {
  return { name, status: 'new', release: null, newest: null, rollout: null, serviceCount: 0, replicaCount: 0, urls: [], updatedAt: new Date(now).toISOString() }
}

/** An app's environments, by name: all, or the one that the token is bound to. */
async function visible({
  params,
  tenant,
  principal,
  ports,
}: Pick<Call<'apps.show'>, 'params' | 'tenant' | 'principal' | 'ports'>): Promise<EnvironmentSummary[]> {
  const all = found(await ports.queries.environments(tenant, params.app), `app ${params.app}`)
  const place = principal?.environment
  return all.filter((it) => !place || place === `${params.app}/${it.environment}`).sort((a, b) => (a.environment < b.environment ? -1 : 1))
}

function confirmed(name: string, confirm: string): void {
  if (name !== confirm)
    throw new WeirError('E_USAGE', {
      message: `to remove ${name}, its name must be confirmed`,
      cause: `\`confirm\` is ${JSON.stringify(confirm)}`,
      next: `weir remove --confirm ${name}`,
    })
}
