import type { BesideEvidence, BesideRequest } from '../controllers/beside.ts'
import { MOST_CLIENTS, type SignatureCount } from '../telemetry/telemetry.ts'

interface Row {
  readonly signature: string
  readonly service: string
  readonly canary: SignatureCount[]
  readonly stable: SignatureCount[]
}

/**
 * Errors by side, in the order in which the canary met them, counted in what is split: occurrences, or clients, and then only those that are known.
 * What stable has met in the day before counts as met by it: it is not new.
 *
 * @example signaturesBySide(view.signatures, request) // [{ signature: 'TypeError at cart …', service: 'web', canary: 4, stable: 0 }]
 */
export function signaturesBySide(found: readonly SignatureCount[], { services, unit }: Pick<BesideRequest, 'services' | 'unit'>): BesideEvidence['signatures'] {
  const rows = new Map<string, Row>()
  for (const count of found) {
    const { service, release, signature } = count
    const sides = services.find((it) => it.service === service)
    if (!sides || signature === 'other') continue
    const key = `${service} ${signature}`
    const row = rows.get(key) ?? { signature, service, canary: [], stable: [] }
    row[release === `v${sides.canary}` ? 'canary' : 'stable'].push(count)
    rows.set(key, row)
  }
  const firstSeen = ({ canary }: Row) => Math.min(...canary.map((it) => it.firstSeen)) // of none: Infinity
  const before = ({ stable }: Row) => stable.reduce((sum, it) => sum + it.before, 0)
  return [...rows.values()]
    .map((row) => ({ row, canary: counted(row.canary, row, unit), stable: counted(row.stable, row, unit) + before(row) }))
    .sort((a, b) => Number(b.canary > 0) - Number(a.canary > 0) || firstSeen(a.row) - firstSeen(b.row) || a.stable - b.stable)
    .map(({ row: { signature, service }, canary, stable }) => ({ signature, service, canary, stable }))
}

/**
 * Of clients only so many are told of; where one side has more, both are counted among those whose hash is as low: a sample of clients is as
 * random as all.
 */
function counted(side: readonly SignatureCount[], { canary, stable }: Row, unit: BesideRequest['unit']): number {
  if (unit === 'request') return side.reduce((sum, it) => sum + it.count, 0)
  const full = [...canary, ...stable].filter((it) => it.clients.length >= MOST_CLIENTS).map((it) => it.clients.at(-1) as string)
  const known = new Set(side.flatMap((it) => it.clients))
  return [...known].filter((client) => full.every((last) => client <= last)).length
}
