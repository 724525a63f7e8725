/**
 * The proof that a canary is not worse by some amount: a test of its own, of the opposite claim. "The canary's error rate is at least
 * `amount` above the stable one" is bet against with the best single bet for that claim: the rate that was seen so far, against the pair of
 * rates next to it (in relative entropy) at which the claim is true (Grünwald, de Heide, Koolen; Turner, Ly, Grünwald 2106.02693).
 */

/** Beyond certainty evidence is not heaped up, so that a canary that turns bad soon loses its proof. */
export const HEADROOM = 3
const PRIOR_TRIALS = 500
const PRIOR_EVENTS = 1

export class DifferenceExclusion {
  readonly #amount: number
  readonly #most: () => number
  #events = PRIOR_EVENTS
  #trials = PRIOR_TRIALS
  #logE = 0

  /** `dispersion`: by how much the evidence is divided, at that moment. */
  constructor(amount: number, enough: number, dispersion: () => number) {
    this.#amount = amount
    this.#most = () => (enough + HEADROOM) * dispersion()
  }

  get logE(): number {
    return this.#logE
  }

  add(canaryTrials: number, stableTrials: number, canaryEvents: number, stableEvents: number): void {
    const trials = canaryTrials + stableTrials
    if (trials === 0) return
    const rate = Math.min(0.999, this.#events / this.#trials)
    this.#events += canaryEvents + stableEvents
    this.#trials += trials
    if (canaryTrials === 0 || rate + this.#amount >= 1) return
    const limit = nearestTrue(rate, this.#amount, canaryTrials / trials)
    const gain = logRatio(canaryEvents, canaryTrials, rate, limit + this.#amount) + logRatio(stableEvents, stableTrials, rate, limit)
    this.#logE = Math.min(this.#most(), this.#logE + gain)
  }
}

/** Evidence a trial that the claim would lose by, if these were the rates; 0 where the claim is true. */
export function exclusionRate(canaryRate: number, stableRate: number, amount: number, share: number): number {
  if (canaryRate - stableRate >= amount) return 0
  let low = 0
  let high = 1 - amount
  for (let i = 0; i < 40; i++) {
    const at = (low + high) / 2
    if (slope(canaryRate, at + amount, share) + slope(stableRate, at, 1 - share) < 0) low = at
    else high = at
  }
  const limit = (low + high) / 2
  return share * divergence(canaryRate, limit + amount) + (1 - share) * divergence(stableRate, limit)
}

/** Stable rate of the nearest pair (s + amount, s) to (rate, rate). */
function nearestTrue(rate: number, amount: number, share: number): number {
  let low = 0
  let high = Math.min(rate, 1 - amount)
  for (let i = 0; i < 40; i++) {
    const at = (low + high) / 2
    if (slope(rate, at + amount, share) + slope(rate, at, 1 - share) < 0) low = at
    else high = at
  }
  return (low + high) / 2
}

/** d/dq of weight · KL(p ‖ q) */
function slope(p: number, q: number, weight: number): number {
  return weight === 0 ? 0 : weight * ((1 - p) / (1 - q) - p / q)
}

function divergence(p: number, q: number): number {
  return (p === 0 ? 0 : p * Math.log(p / q)) + (p === 1 ? 0 : (1 - p) * Math.log((1 - p) / (1 - q)))
}

function logRatio(events: number, trials: number, rate: number, against: number): number {
  return events * Math.log(rate / against) + (trials - events) * Math.log((1 - rate) / (1 - against))
}
