import { bar, line, svg, text, WIDTH } from './svg.ts'

export interface Step {
  readonly label: string
  /** 0…1 */
  readonly wanted: number
  readonly measured: number
}

const LEFT = 50
const TOP = 34
const PLOT = 160
const BOTTOM = TOP + PLOT

/** A column a step: what the new release answered over what the old one did, with the wanted share as a line. */
export function canaryPlot(steps: readonly Step[], requests: number): string {
  const wide = (WIDTH - LEFT - 10) / steps.length
  const columns = steps.flatMap(({ label, wanted, measured }, index) => {
    const x = LEFT + index * wide + wide * 0.2
    const width = wide * 0.6
    const height = PLOT * measured
    return [
      bar('old', x, TOP, width, PLOT - height),
      bar('new', x, BOTTOM - height, width, height),
      line('wanted', x - 6, BOTTOM - PLOT * wanted, x + width + 6, BOTTOM - PLOT * wanted),
      text(x + width / 2, BOTTOM + 16, label, 'middle'),
      text(x + width / 2, BOTTOM + 32, `measured ${(measured * 100).toFixed(1)} %`, 'middle'),
    ]
  })
  const axis = [0, 0.5, 1].flatMap((share) => [
    line('grid', LEFT, BOTTOM - PLOT * share, WIDTH - 10, BOTTOM - PLOT * share),
    text(LEFT - 6, BOTTOM - PLOT * share + 4, `${share * 100} %`, 'end'),
  ])
  const title = `Share of the canary at each step, of ${requests} requests`
  return svg(BOTTOM + 44, title, [text(LEFT, 18, `${title}: blue is the new release, the line is the weight`), ...axis, ...columns])
}
