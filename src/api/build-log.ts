import { WeirError } from '../errors.ts'
import { found, refOf } from './found.ts'
import type { Handler, ServerEvent } from './route.ts'

/** Build logs of a release as they are written. The event id holds how far each service's log was sent: `api=120,web=3400`. */
export const buildLog: Handler<'releases.log'> = async (call) => {
  const ref = refOf(call)
  const number = call.params.release
  found(await call.ports.queries.release(ref, number), `release v${number} of ${ref.app}/${ref.environment}`, 'weir releases')
  const sent = new Map(Object.entries(offsetsOf(call.headers['last-event-id'])))
  const chunks = call.ports.builds.log(ref, number, { service: call.query.service ?? null, from: Object.fromEntries(sent), signal: call.signal })
  return (async function* (): AsyncGenerator<ServerEvent<{ service: string; text: string }>> {
    for await (const { service, offset, text } of chunks) {
      sent.set(service, offset)
      const id = [...sent].map(([name, at]) => `${name}=${at}`).join(',')
      yield { event: 'log', id, data: { service, text } }
    }
  })()
}

function offsetsOf(id: string | string[] | undefined): Record<string, number> {
  if (id === undefined || id === '') return {}
  const parts = String(id)
    .split(',')
    .map((part) => /^([a-z][-a-z0-9]{0,39})=(\d{1,12})$/.exec(part))
  if (parts.length > 200 || parts.includes(null)) throw new WeirError('E_USAGE', { message: 'the Last-Event-ID is none of this stream' })
  return Object.fromEntries(parts.map((part) => [part?.[1], Number(part?.[2])]))
}
