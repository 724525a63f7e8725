import { commandTaken } from './frame/command.ts'
import { checkedName } from './frame/context.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'

interface Wish {
  readonly service: string
  /** null: what the manifest says. */
  readonly replicas: number | null
}

/** `scale web=3 api=auto`; `scale auto` gives every service (or that of -s) back. */
export async function scale(session: Session): Promise<undefined> {
  const wishes = session.args.map(parseWish)
  const context = await session.app()
  const client = await session.client()
  const all = wishes.some((wish) => wish === 'all') ? await servicesOf(session) : []
  for (const { service, replicas } of wishes.flatMap((wish) => (wish === 'all' ? all : [wish]))) {
    const { command } = await client.call('services.scale', { params: { ...context, service }, body: { replicas } })
    await commandTaken(client, context, command)
    await session.print({ ...context, service, replicas }, () => [
      `${service}: ${replicas === null ? 'as the manifest says' : `${replicas} by hand; weir scale ${service}=auto gives it back`}`,
    ])
  }
}

/** @example parseWish('web=3') // { service: 'web', replicas: 3 } */
export function parseWish(text: string): Wish | 'all' {
  if (text === 'auto') return 'all'
  const [, service = '', count = ''] = /^([^=]+)=(\d{1,4}|auto)$/.exec(text) ?? []
  if (service === '') throw usage(`"${escapeControl(text)}" is no wish for replicas`, undefined, 'weir scale web=3, weir scale web=auto, weir scale auto')
  const replicas = count === 'auto' ? null : Number(count)
  if (replicas !== null && replicas > 1000) throw usage(`${replicas} replicas are too many`, 'at most 1000')
  return { service: checkedName('service', service), replicas }
}

async function servicesOf(session: Session): Promise<Wish[]> {
  const named = session.text('service')
  if (named !== undefined) return [{ service: checkedName('service', named), replicas: null }]
  const client = await session.client()
  const { services } = await client.call('environments.show', { params: await session.app() })
  return services.filter((it) => it.scaledBy === 'hand').map((it) => ({ service: it.name, replicas: null }))
}
