import type { Epoch } from '../core/model/epoch.ts'
import { originOf, type ReplicaUsage } from '../core/model/replica.ts'
import type { Clock } from '../core/model/world.ts'
import type { UsagePart } from '../store/replica-usage.ts'

const SAMPLE_EVERY_MS = 5_000
const STORE_EVERY_MS = 15_000
const MINUTE_MS = 60_000
/** Without a place to write them, so many parts wait. */
const MOST_WAITING = 20_000

export interface UsageRecorderParts {
  readonly clock: Clock
  readonly driver: { environments(): Promise<readonly string[]>; usage(environment: string): Promise<readonly ReplicaUsage[]> }
  readonly memory: { commit(epoch: Epoch, parts: readonly UsagePart[]): Promise<void> }
  /** null: another server leads, which does the watching. */
  readonly epoch: () => Epoch | null
  readonly failed: (error: unknown) => void
}

/**
 * Watches what replicas take of the machine while this server leads, and stores it by the minute. Returns the way to stop.
 *
 * @example const stop = startUsageRecorder({ clock, driver, memory: store.usage, epoch: plane.epoch, failed })
 */
export function startUsageRecorder({ clock, driver, memory, epoch, failed }: UsageRecorderParts): () => Promise<void> {
  const fold = new UsageFold()
  let storedAtMs = clock.monotonic()
  let isOver = false
  let cancel = () => {}

  const look = async (): Promise<void> => {
    const leads = epoch()
    if (leads === null) return fold.clear()
    for (const environment of await driver.environments())
      fold.add(environment, await driver.usage(environment), { atMs: clock.monotonic(), wallMs: clock.wall() })
    if (clock.monotonic() - storedAtMs < STORE_EVERY_MS) return
    storedAtMs = clock.monotonic()
    const parts = fold.parts()
    if (parts.length > 0) await memory.commit(leads, parts)
    fold.stored(parts)
  }

  let looking: Promise<void> = Promise.resolve()
  const again = () => {
    looking = look()
      .catch(failed)
      .then(() => {
        if (!isOver) cancel = clock.after(SAMPLE_EVERY_MS, again)
      })
  }
  again()
  return async () => {
    isOver = true
    cancel()
    await looking
  }
}

interface Part extends UsagePart {
  samples: number
  seconds: number
  cpuSeconds: number
  memoryBytes: number
  memoryPeakBytes: number
}

/** Samples of replicas, added up by minute. */
export class UsageFold {
  #last = new Map<string, { readonly atMs: number; readonly cpuMs: number }>()
  #parts = new Map<string, Part>()

  /** All samples of an environment of one moment. A counter that went back is that of a process that was started again. */
  add(environment: string, found: readonly ReplicaUsage[], { atMs, wallMs }: { readonly atMs: number; readonly wallMs: number }): void {
    for (const { id, cpuMs, memoryBytes } of found) {
      const last = this.#last.get(id)
      this.#last.set(id, { atMs, cpuMs })
      const part = this.#partOf(environment, id, Math.floor(wallMs / MINUTE_MS) * MINUTE_MS)
      if (!part) continue
      part.samples++
      part.memoryBytes += memoryBytes
      part.memoryPeakBytes = Math.max(part.memoryPeakBytes, memoryBytes)
      if (!last || cpuMs < last.cpuMs || atMs <= last.atMs) continue
      part.seconds += (atMs - last.atMs) / 1000
      part.cpuSeconds += (cpuMs - last.cpuMs) / 1000
    }
    for (const [id, { atMs: seenMs }] of this.#last) if (atMs - seenMs > MINUTE_MS) this.#last.delete(id)
  }

  /** What is not stored yet. */
  parts(): readonly UsagePart[] {
    return [...this.#parts.values()]
  }

  stored(parts: readonly UsagePart[]): void {
    for (const part of parts) this.#parts.delete(keyOf(part))
  }

  clear(): void {
    this.#last.clear()
    this.#parts.clear()
  }

  #partOf(environment: string, replica: string, minuteMs: number): Part | null {
    const key = keyOf({ replica, minuteMs })
    const known = this.#parts.get(key)
    if (known) return known
    const origin = originOf(replica)
    if (!origin || this.#parts.size >= MOST_WAITING) return null
    const part = { environment, ...origin, replica, minuteMs, samples: 0, seconds: 0, cpuSeconds: 0, memoryBytes: 0, memoryPeakBytes: 0 }
    this.#parts.set(key, part)
    return part
  }
}

function keyOf({ replica, minuteMs }: Pick<UsagePart, 'replica' | 'minuteMs'>): string {
  return `${replica} ${minuteMs}`
}
