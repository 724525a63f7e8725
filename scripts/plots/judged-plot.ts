import type { LiveOutcome } from '../../test/scenarios/live.ts'
import { curve, line, svg, text, WIDTH } from './svg.ts'

interface Runs {
  readonly broken: LiveOutcome
  readonly good: LiveOutcome
}

const LEFT = 70
const TOP = 34
const PLOT = 190
const BOTTOM = TOP + PLOT
/** Powers of ten of what is needed: below, and above what is drawn. */
const LOWEST = -5
const HIGHEST = 2
const TO_S = 60

/** The strongest evidence against each release, look by look, as a part of what is needed. */
export function judgedPlot({ broken, good }: Runs): string {
  const xOf = (seconds: number) => LEFT + (Math.min(Math.max(0, seconds), TO_S) / TO_S) * (WIDTH - LEFT - 10)
  const yOf = (power: number) => BOTTOM - ((Math.min(Math.max(power, LOWEST), HIGHEST) - LOWEST) / (HIGHEST - LOWEST)) * PLOT
  const pointsOf = ({ looks }: LiveOutcome) =>
    looks
      .map((it) => [it.atMs / 1000, (it.logE - it.threshold) / Math.LN10] as const)
      .filter(([seconds]) => seconds >= 0 && seconds <= TO_S)
      .map(([seconds, power]) => [xOf(seconds), yOf(power)] as const)
  const axis = [-4, -2, 0, 2].flatMap((power) => [
    line('grid', LEFT, yOf(power), WIDTH - 10, yOf(power)),
    text(LEFT - 6, yOf(power) + 4, power < 0 ? `1/${(10 ** -power).toLocaleString('en')}` : `× ${10 ** power}`, 'end'),
  ])
  const ticks = [0, 20, 40, TO_S].map((seconds) => text(xOf(seconds), BOTTOM + 16, `${seconds} s`, seconds === TO_S ? 'end' : 'middle'))
  const title = 'Strongest evidence against two releases, as a part of what is needed'
  return svg(BOTTOM + 64, title, [
    text(LEFT, 18, `${title}: blue fails 5 %, grey none`),
    ...axis,
    line('wanted', LEFT, yOf(0), WIDTH - 10, yOf(0)),
    curve('old', pointsOf(good)),
    curve('new', pointsOf(broken)),
    ...ticks,
    text(LEFT, BOTTOM + 36, `taken back after ${broken.seconds.toFixed(1)} s: ${broken.sentence.split('; ').slice(0, 2).join('; ')}`),
    text(LEFT, BOTTOM + 54, `${good.decision === 'pass' ? `promoted after ${Math.round(good.seconds)} s` : 'not proven yet'}: ${good.sentence.split('; ')[0]}`),
  ])
}
