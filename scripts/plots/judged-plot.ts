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
/** Powers of ten: below, and above what is drawn. */
const LOWEST = -1.5
const HIGHEST = 5
const TO_S = 60

/** Evidence against each release, look by look, and where it is enough. */
export function judgedPlot({ broken, good }: Runs): string {
  const xOf = (seconds: number) => LEFT + (Math.min(Math.max(0, seconds), TO_S) / TO_S) * (WIDTH - LEFT - 10)
  const yOf = (power: number) => BOTTOM - ((Math.min(Math.max(power, LOWEST), HIGHEST) - LOWEST) / (HIGHEST - LOWEST)) * PLOT
  const pointsOf = ({ looks }: LiveOutcome) =>
    [[0, 0] as const, ...looks.map((it) => [it.atMs / 1000, it.logE / Math.LN10] as const)]
      .filter(([seconds]) => seconds >= 0 && seconds <= TO_S)
      .map(([seconds, power]) => [xOf(seconds), yOf(power)] as const)
  const threshold = (broken.looks.at(-1)?.threshold ?? 0) / Math.LN10
  const axis = [0, 2, 4].flatMap((power) => [
    line('grid', LEFT, yOf(power), WIDTH - 10, yOf(power)),
    text(LEFT - 6, yOf(power) + 4, `1 in ${(10 ** power).toLocaleString('en')}`, 'end'),
  ])
  const ticks = [0, 20, 40, TO_S].map((seconds) => text(xOf(seconds), BOTTOM + 16, `${seconds} s`, seconds === TO_S ? 'end' : 'middle'))
  const title = 'Evidence of more errors, from the first request of two releases at 10 requests a second'
  return svg(BOTTOM + 64, title, [
    text(LEFT, 18, `${title}: blue fails 5 %, grey is without a fault`),
    ...axis,
    line('wanted', LEFT, yOf(threshold), WIDTH - 10, yOf(threshold)),
    curve('old', pointsOf(good)),
    curve('new', pointsOf(broken)),
    ...ticks,
    text(LEFT, BOTTOM + 36, `taken back after ${broken.seconds.toFixed(1)} s: ${broken.sentence}`),
    text(LEFT, BOTTOM + 54, good.decision === 'pass' ? `promoted after ${Math.round(good.seconds)} s: ${good.sentence}` : good.sentence),
  ])
}
