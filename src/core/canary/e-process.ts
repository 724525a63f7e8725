/**
 * Evidence that may be looked at as often as one likes. Each batch multiplies, for every odds ratio of a grid, how much better that ratio
 * explains it than the ratio that is put up with; the mixture over the grid is 1 on average as long as the canary is not worse, so
 * P(it ever reaches 1/α) ≤ α (Ville). A part of the mixture is held back and put in little by little: a canary that breaks after an hour of
 * health is found as well, for the price of how long it was healthy (logarithmically).
 */
import { type Batch, isTelling, tilt } from './odds.ts'

export interface Grid {
  /** The odds ratio that is put up with. */
  readonly reference: number
  readonly odds: readonly number[]
  /** Prior weight of each; they add up to 1. */
  readonly weights: readonly number[]
}

const HELD_BACK = 0.3
const PATIENCE = 8
const FLATTENINGS = 24

export class EProcess {
  readonly #grid: Grid
  readonly #logs: Float64Array
  #reserve = HELD_BACK
  #steps = 0
  #logE = 0

  constructor(grid: Grid) {
    this.#grid = grid
    this.#logs = Float64Array.from(grid.weights, (weight) => Math.log(weight * (1 - HELD_BACK)))
  }

  /** Natural logarithm of the evidence; 0 says nothing, below 0 speaks for the canary. */
  get logE(): number {
    return this.#logE
  }

  /**
   * True if it said anything. Where a batch would lift the evidence above `most`, its likelihoods are flattened (raised to a power below 1) until
   * it does not: what comes out is never more than what it would have been, so it is evidence still, and what the batch says of other ratios stays.
   */
  add(batch: Batch, most = Number.POSITIVE_INFINITY): boolean {
    if (!isTelling(batch)) return false
    const { reference, odds, weights } = this.#grid
    const freed = this.#reserve / (this.#steps++ + PATIENCE)
    this.#reserve -= freed
    const base = tilt(batch, reference)
    const ratios = odds.map((it) => tilt(batch, it) - base)
    for (let i = 0; i < odds.length; i++) this.#logs[i] = logAdd(this.#logs[i] as number, freed * (weights[i] as number))
    let power = 1
    if (this.#mixture(ratios, 1) > most) {
      let high = 1
      power = 0
      for (let i = 0; i < FLATTENINGS; i++) {
        const middle = (power + high) / 2
        if (this.#mixture(ratios, middle) > most) high = middle
        else power = middle
      }
    }
    this.#logE = this.#mixture(ratios, power)
    for (let i = 0; i < odds.length; i++) this.#logs[i] = (this.#logs[i] as number) + power * (ratios[i] as number)
    return true
  }

  #mixture(ratios: readonly number[], power: number): number {
    let largest = Number.NEGATIVE_INFINITY
    for (let i = 0; i < ratios.length; i++) largest = Math.max(largest, (this.#logs[i] as number) + power * (ratios[i] as number))
    if (!(largest > -500)) largest = 0
    let sum = this.#reserve * Math.exp(-largest)
    for (let i = 0; i < ratios.length; i++) sum += Math.exp((this.#logs[i] as number) + power * (ratios[i] as number) - largest)
    return largest + Math.log(sum)
  }

  /** Less evidence is evidence still: what is beyond `most` is forgotten. */
  limitTo(most: number): void {
    const excess = this.#logE - most
    if (!(excess > 0)) return
    for (let i = 0; i < this.#logs.length; i++) this.#logs[i] = (this.#logs[i] as number) - excess
    this.#reserve *= Math.exp(-excess)
    this.#logE = most
  }
}

/** log(e^log + amount) */
function logAdd(log: number, amount: number): number {
  const other = Math.log(amount)
  return log > other ? log + Math.log1p(Math.exp(other - log)) : other + Math.log1p(Math.exp(log - other))
}

/** log of the weighted mean of what has these logarithms. */
export function logMean(logs: readonly number[], weights: readonly number[]): number {
  let largest = Number.NEGATIVE_INFINITY
  for (const log of logs) if (log > largest) largest = log
  let sum = 0
  for (let i = 0; i < logs.length; i++) sum += (weights[i] as number) * Math.exp((logs[i] as number) - largest)
  return largest + Math.log(sum)
}
