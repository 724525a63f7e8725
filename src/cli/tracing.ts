import { WeirError } from '../errors.ts'
import type { Session } from './frame/session.ts'
import { escapeControl } from './output/escape.ts'

/** Where the traces can be looked at besides `weir traces`. Zipkin knows no tenants, so only operators are told. */
export async function tracing(session: Session): Promise<undefined> {
  const client = await session.client()
  const { telemetry } = await client.call('system.health', {})
  const zipkin = telemetry?.links.find(({ name }) => name === 'forward zipkin')
  if (!zipkin)
    throw new WeirError('E_NOT_FOUND', {
      message: 'spans are forwarded to no Zipkin',
      cause: telemetry ? 'WEIR_FORWARD_ZIPKIN is not set for the server' : 'telemetry is turned off, or does not answer',
      next: telemetry ? 'weir traces' : 'weir doctor',
    })
  await session.print(zipkin, () => [
    zipkin.address,
    ...(zipkin.problem === null ? [] : [`${session.terminal.colours.yellow('!')} spans do not arrive there: ${escapeControl(zipkin.problem)}`]),
  ])
}
