import { commandTaken } from './frame/command.ts'
import { checkedName } from './frame/context.ts'
import type { Session } from './frame/session.ts'

type Route = 'environments.start' | 'environments.stop' | 'environments.restart'

export const start = lifecycle('environments.start', 'is starting; weir status -w shows it')
export const stop = lifecycle('environments.stop', 'is stopping, its data stays; weir start brings it back')
export const restart = lifecycle('environments.restart', 'gets fresh replicas, one after the other; weir status -w shows it')

function lifecycle(route: Route, said: string): (session: Session) => Promise<undefined> {
  return async (session) => {
    const params = await session.app('argument')
    const named = session.text('service')
    const service = named === undefined ? null : checkedName('service', named)
    const client = await session.client()
    const { command } = await client.call(route, { params, body: { service } })
    const taken = await commandTaken(client, params, command)
    await session.print(taken, () => [`${service === null ? params.app : `${service} of ${params.app}`} ${said}`])
  }
}
