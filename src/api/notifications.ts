import { testMessage } from '../core/notify/message.ts'
import { WeirError } from '../errors.ts'
import { type Address, shownPlace } from '../notify/target.ts'
import type { NotifyTargetDetail } from '../store/queries.ts'
import { found, pageRequest } from './found.ts'
import type { Handlers } from './route.ts'

type Ids = 'notifications.list' | 'notifications.create' | 'notifications.remove' | 'notifications.test' | 'notifications.deliveries'

const LIST = 'weir notify list'

/** Whom people outside are told by. Addresses and secrets go in and never come out. */
export const notifications: Handlers<Ids> = {
  'notifications.list': async ({ tenant, query, ports }) => {
    const { items, cursor } = await ports.queries.notifyTargets(tenant, pageRequest(query))
    return { items: items.map(view), cursor }
  },
  'notifications.create': ({ tenant, body, principal, ports, write }) => {
    const { app, environment, address } = body
    const topics = [...new Set(body.topics)]
    if (app === null && environment !== null)
      throw new WeirError('E_USAGE', { message: 'an environment without an app', cause: 'which app it is of is not said' })
    if (address.kind !== 'email') checkUrl(address)
    return write(async (writer) => {
      const id = await writer.addNotifyTarget(tenant, { app, environment, topics, address })
      const at = new Date(ports.now()).toISOString()
      const place = shownPlace(address)
      const counts = { waiting: 0, dead: 0, problem: null, deliveredAt: null }
      return { id, app, environment, kind: address.kind, place, topics, by: principal?.name ?? '', at, ...counts }
    })
  },
  'notifications.remove': ({ tenant, params, write }) =>
    write(async (writer) => {
      await writer.removeNotifyTarget(tenant, params.notification)
      return { ok: true }
    }),
  'notifications.test': async ({ tenant, params, ports, write }) => {
    const { app, environment } = found(await ports.queries.notifyTarget(tenant, params.notification), `target ${params.notification}`, LIST)
    const message = testMessage({ tenant, app, environment }, new Date(ports.now()).toISOString())
    return write(async (writer) => ({ delivery: await writer.tryNotifyTarget(tenant, params.notification, message) }))
  },
  'notifications.deliveries': async ({ tenant, params, query, ports }) => {
    found(await ports.queries.notifyTarget(tenant, params.notification), `target ${params.notification}`, LIST)
    const { items, cursor } = await ports.queries.deliveries(tenant, params.notification, pageRequest(query))
    return { items: items.map((it) => ({ ...it })), cursor }
  },
}

/** Never repeats the address: it may be a secret as a whole. */
function checkUrl({ kind, url: text }: Exclude<Address, { kind: 'email' }>): void {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new WeirError('E_USAGE', {
      message: `that is no address of a ${kind === 'slack' ? 'Slack webhook' : 'webhook'}`,
      cause: 'it must begin with https://',
    })
  if (url.username !== '' || url.password !== '')
    throw new WeirError('E_USAGE', {
      message: 'the address carries a user or a password',
      cause: 'receivers know Weir by its signature',
      state: 'nothing was stored',
    })
}

function view({ topics, ...target }: NotifyTargetDetail) {
  return { ...target, topics: [...topics] }
}
