/** Whether requests or clients go where they are sent. If not, routing is broken and a comparison has no ground; it is not the canary's fault. */
import { logOneSided } from './one-sided.ts'

/** Off by less is no matter: the measured share is what is used. */
const TOLERANCE = 1.25
const FALSE_ALARM = 0.001

export interface SampleRatio {
  /** As measured. */
  readonly share: number
  readonly logE: number
  readonly threshold: number
  readonly isBroken: boolean
}

export function sampleRatio(canary: number, all: number, weight: number): SampleRatio {
  const threshold = -Math.log(FALSE_ALARM)
  const share = all === 0 ? 0 : canary / all
  if (!(weight > 0 && weight < 1)) return { share, logE: 0, threshold, isBroken: false }
  const more = logOneSided(canary, all, weight * TOLERANCE)
  const fewer = logOneSided(all - canary, all, 1 - weight / TOLERANCE)
  const high = Math.max(more, fewer)
  const logE = high + Math.log((Math.exp(more - high) + Math.exp(fewer - high)) / 2)
  return { share, logE, threshold, isBroken: logE >= threshold }
}
