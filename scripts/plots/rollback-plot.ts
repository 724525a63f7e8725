import { bar, line, svg, text, WIDTH } from './svg.ts'

interface Run {
  readonly seen: readonly { readonly atMs: number; readonly release: string }[]
  readonly failed: number
}

const LEFT = 50
const TOP = 34
const PLOT = 150
const BOTTOM = TOP + PLOT
const FROM_MS = -500
const TO_MS = 1000

/** Requests a bucket by the release that answered them, the one that is left below the one that is gone back to. */
export function rollbackPlot({ seen, failed }: Run, bucketMs: number): string {
  const buckets = Array.from({ length: (TO_MS - FROM_MS) / bucketMs }, (_, index) => {
    const from = FROM_MS + index * bucketMs
    const within = seen.filter((it) => it.atMs >= from && it.atMs < from + bucketMs)
    return { from, v1: within.filter((it) => it.release === 'v1').length, v2: within.filter((it) => it.release === 'v2').length }
  })
  const most = Math.max(1, ...buckets.map((it) => it.v1 + it.v2))
  const xOf = (atMs: number) => LEFT + ((atMs - FROM_MS) / (TO_MS - FROM_MS)) * (WIDTH - LEFT - 10)
  const unit = PLOT / most
  const columns = buckets.flatMap(({ from, v1, v2 }) => {
    const width = xOf(from + bucketMs) - xOf(from) - 1
    return [bar('new', xOf(from), BOTTOM - v2 * unit, width, v2 * unit), bar('old', xOf(from), BOTTOM - (v1 + v2) * unit, width, v1 * unit)]
  })
  const last = Math.max(0, ...seen.filter((it) => it.release === 'v2').map((it) => it.atMs))
  const ticks = [FROM_MS, 0, 500, TO_MS].map((atMs) => text(xOf(atMs), BOTTOM + 16, `${atMs} ms`, atMs === TO_MS ? 'end' : 'middle'))
  const title = `Requests by release, ${bucketMs} ms a column, around a rollback asked for at 0 ms`
  return svg(BOTTOM + 44, title, [
    text(LEFT, 18, `${title}: blue is v2, grey is v1`),
    line('axis', LEFT, BOTTOM, WIDTH - 10, BOTTOM),
    line('wanted', xOf(0), TOP - 6, xOf(0), BOTTOM),
    text(LEFT - 6, TOP + 8, String(most), 'end'),
    text(LEFT - 6, BOTTOM, '0', 'end'),
    ...columns,
    ...ticks,
    text(
      LEFT,
      BOTTOM + 36,
      `the last request to v2 began ${Math.round(last)} ms after the rollback was asked for; ${failed} of ${seen.length + failed} requests failed`,
    ),
  ])
}
