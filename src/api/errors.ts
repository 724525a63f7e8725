import type { SignatureCount } from '../telemetry/telemetry.ts'
import { environmentId } from './environment-id.ts'
import type { Handlers } from './route.ts'

const HOUR_MS = 3_600_000
/** Further back, telemetry does not know what was there before. */
const FURTHEST_MS = 24 * HOUR_MS

export const errors: Handlers<'errors.show'> = {
  'errors.show': async (call) => {
    const { service, release, since, limit } = call.query
    const now = call.ports.now()
    const sinceMs = Math.max(since === undefined ? now - HOUR_MS : Date.parse(since), now - FURTHEST_MS)
    const { signatures } = await call.ports.telemetry.errors(await environmentId(call), { sinceMs })
    const wanted = signatures.filter((it) => it.count > 0 && (service === undefined || it.service === service))
    const groups = Map.groupBy(wanted, (it) => JSON.stringify([it.service, it.signature]))
    const shown = [...groups.values()]
      .filter((its) => release === undefined || its.some((it) => it.release === `v${release}`))
      .map((its) => signatureOf(its, signatures))
    return { since: new Date(sinceMs).toISOString(), items: shown.sort((a, b) => b.count - a.count).slice(0, limit) }
  },
}

/** One error of a service over its releases, those too in which it was only before. */
function signatureOf(its: readonly SignatureCount[], all: readonly SignatureCount[]) {
  const [{ service, signature }] = its as [SignatureCount, ...SignatureCount[]]
  const own = all.filter((it) => it.service === service && it.signature === signature)
  const sum = (of: (it: SignatureCount) => number) => own.reduce((total, it) => total + of(it), 0)
  const newest = own.filter((it) => it.trace !== null).sort((a, b) => b.lastSeen - a.lastSeen)[0]
  return {
    service,
    signature,
    count: sum((it) => it.count),
    before: sum((it) => it.before),
    releases: own.map(({ release, count, before }) => ({ release, count, before })).sort((a, b) => b.release.localeCompare(a.release, 'en', { numeric: true })),
    firstSeen: new Date(Math.min(...own.map((it) => it.firstSeen))).toISOString(),
    lastSeen: new Date(Math.max(...own.map((it) => it.lastSeen))).toISOString(),
    trace: newest?.trace ?? null,
  }
}
