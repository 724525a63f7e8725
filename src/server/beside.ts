import type { Beside, BesideEvidence, BesideRequest } from '../controllers/beside.ts'
import type { ReplicaUsage } from '../core/model/replica.ts'
import type { Clock } from '../core/model/world.ts'

export interface BesideParts {
  readonly clock: Clock
  readonly usage: (environment: string) => Promise<readonly ReplicaUsage[]>
  readonly signatures: (request: BesideRequest) => Promise<BesideEvidence['signatures']>
  readonly custom: (request: BesideRequest) => Promise<BesideEvidence['custom']>
}

/** Figures of a replica between two looks; without an earlier one there is no rate. */
const FORGET_MS = 60_000

/** Joins what the machine, telemetry and the team's own sources know of a rollout. A part that does not answer is absent. */
export function besideFrom({ clock, usage, signatures, custom }: BesideParts): Beside {
  const before = new Map<string, { readonly atMs: number; readonly cpuMs: number }>()
  const ratesOf = (found: readonly ReplicaUsage[], { replicas }: BesideRequest): BesideEvidence['usage'] => {
    const nowMs = clock.monotonic()
    for (const [id, { atMs }] of before) if (nowMs - atMs > FORGET_MS) before.delete(id)
    return found.flatMap(({ id, cpuMs, memoryBytes }) => {
      const replica = replicas.find((it) => it.id === id)
      const last = before.get(id)
      if (!replica) return []
      before.set(id, { atMs: nowMs, cpuMs })
      if (!last || nowMs <= last.atMs || cpuMs < last.cpuMs) return [] // just started, or started again
      const { service, side } = replica
      return [{ service, replica: id, side, memory: memoryBytes, cpu: (cpuMs - last.cpuMs) / (nowMs - last.atMs) }]
    })
  }
  return {
    sideEvidence: async (request) => {
      const [found, errors, own] = await Promise.all([orNone(usage(request.id)), orNone(signatures(request)), orNone(custom(request))])
      return { usage: ratesOf(found, request), signatures: errors, custom: own }
    },
  }
}

async function orNone<T>(asked: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await asked
  } catch {
    return []
  }
}
