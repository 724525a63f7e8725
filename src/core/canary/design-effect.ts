import { type EvidenceBlock, PROOF_QUANTILE, QUANTILES, type ReplicaRow } from './evidence.ts'

/** Requests of one replica that are looked at together: shorter than a garbage collection, and nothing would come together. */
const WINDOW_MS = 2_000
/** Fewer windows say nothing. */
const LEAST_WINDOWS = 30
const MOST = 20

interface Window {
  timed: number
  readonly slow: Float64Array
  sinceMs: number
}

/** Over the windows of one replica, of one quantile. */
interface Sums {
  windows: number
  timed: number
  slow: number
  squares: number
  cross: number
  timedSquares: number
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
  readonly #replicas = new Map<string, readonly Sums[]>()
  #pooled: readonly number[] = QUANTILES.map(() => 1)
  #inWindow = 0

  add({ replicas, fromMs }: EvidenceBlock): void {
    this.addRows(replicas, fromMs)
  }

  /** True if a window was completed. */
  addRows(rows: readonly ReplicaRow[], fromMs: number): boolean {
    let completed = false
    for (const { service, replica, timed, slow } of rows) {
      const key = `${service} ${replica}`
      let open = this.#open.get(key)
      if (open && fromMs - open.sinceMs >= WINDOW_MS) {
        this.#close(key, open)
        completed = true
        open = undefined
      }
      if (!open) this.#open.set(key, (open = { timed: 0, slow: new Float64Array(QUANTILES.length), sinceMs: fromMs }))
      open.timed += timed
      for (let j = 0; j < QUANTILES.length; j++) open.slow[j] = (open.slow[j] as number) + (slow[j] ?? 0)
    }
    if (completed) this.#pool()
    return completed
  }

  /** At q90, of the replica with the largest; 1: nothing comes together, or too little was seen. Of higher quantiles there are too few in a window. */
  get value(): number {
    const values = [...this.#replicas.values()].flatMap((sums) => effectOf([sums[PROOF_QUANTILE] as Sums]) ?? [])
    return Math.min(MOST, Math.max(1, ...values))
  }

  /**
   * At one of the quantiles, of the difference between these replicas and others that have `part` of the requests that one of these has, and `share`
   * of all. The fewer requests a replica has, the fewer are in a pause of it:
   *
   *   ρ = (φ − 1)/(n − 1),   φ' = 1 + ρ(n' − 1),   (1 − share)φ' + share·φ
   *
   * with φ over all of these replicas and n requests in a window of one; φ' and n' are the others'.
   */
  between(quantile: number, part: number, share: number): number {
    const own = this.#pooled[quantile] ?? 1
    if (!(this.#inWindow > 1 && part >= 0 && share >= 0 && share <= 1)) return own
    const others = 1 + ((own - 1) / (this.#inWindow - 1)) * Math.max(0, part * this.#inWindow - 1)
    return Math.min(MOST, (1 - share) * others + share * own)
  }

  #pool(): void {
    const replicas = [...this.#replicas.values()]
    this.#pooled = QUANTILES.map((_, j) => Math.max(1, effectOf(replicas.map((sums) => sums[j] as Sums)) ?? 1))
    const first = replicas.map((sums) => sums[0] as Sums)
    this.#inWindow = first.reduce((sum, it) => sum + it.timedSquares, 0) / first.reduce((sum, it) => sum + it.timed, 0)
  }

  #close(key: string, { timed, slow }: Window): void {
    if (timed === 0) return
    let sums = this.#replicas.get(key)
    if (!sums) this.#replicas.set(key, (sums = QUANTILES.map(() => ({ windows: 0, timed: 0, slow: 0, squares: 0, cross: 0, timedSquares: 0 }))))
    sums.forEach((it, j) => {
      const own = slow[j] as number
      it.windows++
      it.timed += timed
      it.slow += own
      it.squares += own * own
      it.cross += own * timed
      it.timedSquares += timed * timed
    })
  }
}

/** null: too little was seen. */
function effectOf(replicas: readonly Sums[]): number | null {
  let windows = 0
  let variance = 0
  let squares = 0
  for (const it of replicas) {
    const p = it.timed === 0 ? 0 : it.slow / it.timed
    windows += it.windows
    variance += it.timed * p * (1 - p)
    squares += it.squares - 2 * p * it.cross + p * p * it.timedSquares
  }
  return windows < LEAST_WINDOWS || variance < LEAST_WINDOWS / 2 ? null : squares / variance
}
