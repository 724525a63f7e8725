/**
 * How likely it was that so many of a batch's events fell to the canary. Given the trials of both sides and the events over both, and
 * nothing else, the canary's events are hypergeometric if it does not matter which side a trial was put on; if the odds of an event are ω
 * times higher on the canary, they are tilted by ω to the power of their number (Fisher's noncentral hypergeometric distribution).
 * The base rate is in neither, so an outage of both sides, a surge or a burst says nothing.
 */

/** More different outcomes than this, and events are counted as if they were rare: slightly too careful, never too bold. */
const MOST_OUTCOMES = 400
const NEGLIGIBLE = 1e-17
const RESCALE = 1e200
const LOG_RESCALE = Math.log(RESCALE)

export interface Batch {
  readonly canaryTrials: number
  readonly stableTrials: number
  readonly canaryEvents: number
  readonly stableEvents: number
}

/** Whether a batch can say anything: trials on both sides, some with the event and some without. */
export function isTelling({ canaryTrials, stableTrials, canaryEvents, stableEvents }: Batch): boolean {
  const events = canaryEvents + stableEvents
  return canaryTrials > 0 && stableTrials > 0 && events > 0 && events < canaryTrials + stableTrials
}

/** log P(batch | odds), up to what does not depend on the odds. */
export function tilt({ canaryTrials, stableTrials, canaryEvents, stableEvents }: Batch, odds: number): number {
  const events = canaryEvents + stableEvents
  const least = Math.max(0, events - stableTrials)
  const most = Math.min(events, canaryTrials)
  if (most === least) return 0
  if (most - least > MOST_OUTCOMES) {
    const share = canaryTrials / (canaryTrials + stableTrials)
    return canaryEvents * Math.log(odds) - events * Math.log(share * odds + 1 - share)
  }
  return (canaryEvents - least) * Math.log(odds) - logSum(canaryTrials, stableTrials, events, least, most, odds)
}

/** log Σ_k C(canary, k) C(stable, events − k) odds^k, over what its first term is. */
function logSum(canaryTrials: number, stableTrials: number, events: number, least: number, most: number, odds: number): number {
  let term = 1
  let sum = 1
  let scale = 0
  for (let k = least; k < most; k++) {
    const ratio = (((canaryTrials - k) * (events - k)) / ((k + 1) * (stableTrials - events + k + 1))) * odds
    term *= ratio
    sum += term
    if (ratio < 1 && term < sum * NEGLIGIBLE) break
    if (sum > RESCALE) {
      sum /= RESCALE
      term /= RESCALE
      scale += LOG_RESCALE
    }
  }
  return Math.log(sum) + scale
}
