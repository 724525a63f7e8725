import type { RpcClient } from '../rpc/client.ts'
import type { Queries } from '../store/queries.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

const AFTER_MS = 250

/**
 * Keeps the telemetry process informed of which environments there are: when something happened, and when the process is a new one. Returns the
 * way to stop.
 */
export function tellEnvironments(parts: {
  readonly telemetry: Pick<Telemetry, 'know'>
  readonly process: Pick<RpcClient, 'listen'>
  readonly queries: Pick<Queries, 'everyEnvironment'>
  readonly eventsChanged: (changed: () => void) => () => void
}): () => void {
  let told = ''
  let timer: NodeJS.Timeout | null = null
  const tell = async () => {
    timer = null
    try {
      const environments = await parts.queries.everyEnvironment()
      const text = JSON.stringify(environments)
      if (text === told) return
      await parts.telemetry.know(environments)
      told = text
    } catch {
      // the process is away: its return says so; or the store is: its next event does
    }
  }
  const soon = () => {
    timer ??= setTimeout(() => void tell(), AFTER_MS).unref()
  }
  const unhear = parts.process.listen(({ event }) => {
    if (event !== 'reconnected') return
    told = ''
    soon()
  })
  const unwatch = parts.eventsChanged(soon)
  soon()
  return () => {
    unhear()
    unwatch()
    if (timer) clearTimeout(timer)
  }
}
