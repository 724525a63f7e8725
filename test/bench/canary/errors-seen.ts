/** Error signatures as telemetry counts them: by side since the rollout began, in order of first sight on the canary; by client, distinct ones. */
import type { SideEvidence } from '../../../src/core/canary/index.ts'
import { SERVICE } from './evidence.ts'
import type { Chance } from './random.ts'
import type { Tick, World } from './streams.ts'

interface Seen {
  readonly signature: string
  readonly service: string
  canary: number
  stable: number
}

export interface ErrorsSeen {
  see(tick: Tick): void
  readonly signatures: SideEvidence['signatures']
}

/** `nameOf`: which error a failed request met. */
export function errorsSeen({ unit }: World, random: Chance, nameOf: (onCanary: boolean, random: Chance) => string | null): ErrorsSeen {
  const counts = new Map<string, Seen>()
  const order: Seen[] = []
  const clients = new Set<string>()
  return {
    see(tick) {
      for (let i = 0; i < tick.count; i++) {
        if (tick.failed[i] !== 1) continue
        const onCanary = tick.onCanary[i] === 1
        const signature = nameOf(onCanary, random)
        if (signature === null) continue
        const who = `${signature} ${tick.client[i]}`
        if (unit === 'client' && clients.has(who)) continue
        if (unit === 'client') clients.add(who)
        let seen = counts.get(signature)
        if (seen === undefined) counts.set(signature, (seen = { signature, service: SERVICE, canary: 0, stable: 0 }))
        if (onCanary && seen.canary === 0) order.push(seen)
        if (onCanary) seen.canary++
        else seen.stable++
      }
    },
    get signatures() {
      return order
    },
  }
}

/** Thirty errors, the commonest first. */
export function commonErrors(_onCanary: boolean, random: Chance): string {
  return `error ${Math.floor(30 ** random.uniform())}`
}
