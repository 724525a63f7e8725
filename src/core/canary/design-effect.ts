import type { EvidenceBlock } from './evidence.ts'

/** Requests of one replica that are looked at together: shorter than a garbage collection, and nothing would come together. */
const WINDOW_MS = 2_000
/** The quantile whose slow requests are looked at: 0.9, place in QUANTILES. Of higher ones there are too few in a window. */
const PLACE = 2
/** Fewer windows say nothing. */
const LEAST_WINDOWS = 30
const MOST = 20

interface Window {
  timed: number
  slow: number
  sinceMs: number
}

/**
 * How much more slow requests of one replica come together than by chance: their variance over windows of time by that of independent requests,
 *
 *   φ = Σ (xᵢ − nᵢp)² / Σ nᵢp(1 − p),   p = Σxᵢ / Σnᵢ
 *
 * over windows i with nᵢ timed requests of one replica, xᵢ of them slow. A slow drift makes it larger, which errs on the side of caution.
 *
 * @example const effect = new DesignEffect(); effect.add(block); effect.value // 1.7
 */
export class DesignEffect {
  readonly #open = new Map<string, Window>()
  readonly #replicas = new Map<string, { windows: number; timed: number; slow: number; squares: number; cross: number; timedSquares: number }>()

  add({ replicas, fromMs }: EvidenceBlock): void {
    for (const { service, replica, timed, slow } of replicas) {
      const key = `${service} ${replica}`
      let open = this.#open.get(key)
      if (open && fromMs - open.sinceMs >= WINDOW_MS) {
        this.#close(key, open)
        open = undefined
      }
      if (!open) this.#open.set(key, (open = { timed: 0, slow: 0, sinceMs: fromMs }))
      open.timed += timed
      open.slow += slow[PLACE] ?? 0
    }
  }

  /** The largest of the replicas; 1: nothing comes together, or too little was seen. */
  get value(): number {
    let largest = 1
    for (const { windows, timed, slow, squares, cross, timedSquares } of this.#replicas.values()) {
      const p = timed === 0 ? 0 : slow / timed
      const variance = timed * p * (1 - p)
      if (windows < LEAST_WINDOWS || variance < LEAST_WINDOWS / 2) continue
      largest = Math.max(largest, (squares - 2 * p * cross + p * p * timedSquares) / variance)
    }
    return Math.min(MOST, largest)
  }

  #close(key: string, { timed, slow }: Window): void {
    if (timed === 0) return
    let sums = this.#replicas.get(key)
    if (!sums) this.#replicas.set(key, (sums = { windows: 0, timed: 0, slow: 0, squares: 0, cross: 0, timedSquares: 0 }))
    sums.windows++
    sums.timed += timed
    sums.slow += slow
    sums.squares += slow * slow
    sums.cross += slow * timed
    sums.timedSquares += timed * timed
  }
}
