import type { BesideEvidence, BesideRequest } from '../controllers/beside.ts'
import type { SignatureCount } from '../telemetry/telemetry.ts'

/**
 * Errors by side, in the order in which the canary met them. What stable has met in the day before counts as met by it: it is not new.
 *
 * @example signaturesBySide(view.signatures, request) // [{ signature: 'TypeError at cart …', service: 'web', canary: 4, stable: 0 }]
 */
export function signaturesBySide(found: readonly SignatureCount[], { services }: Pick<BesideRequest, 'services'>): BesideEvidence['signatures'] {
  const rows = new Map<string, { signature: string; service: string; canary: number; stable: number; firstSeen: number }>()
  for (const { service, release, signature, count, before, firstSeen } of found) {
    const sides = services.find((it) => it.service === service)
    if (!sides || signature === 'other') continue
    const key = `${service} ${signature}`
    const row = rows.get(key) ?? { signature, service, canary: 0, stable: 0, firstSeen: Number.POSITIVE_INFINITY }
    if (release === `v${sides.canary}`) {
      row.canary += count
      row.firstSeen = Math.min(row.firstSeen, firstSeen)
    } else row.stable += count + before
    rows.set(key, row)
  }
  return [...rows.values()].sort((a, b) => a.firstSeen - b.firstSeen || a.stable - b.stable).map(({ firstSeen: _, ...row }) => row)
}
