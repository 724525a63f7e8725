/**
 * How long one thing took within one stretch of time: the own time of a service, or the gap of an edge, in requests of one class. A histogram
 * with steps of 15 %, because what blame looks at are shifts by factors, and robust measures of them.
 */
export interface Cell {
  /** Sum of the weights; with sampling, the number of visits that these stand for. */
  weight: number
  /** Sum of the squared weights: weight² / squares is how many observations there really were. */
  squares: number
  sumMs: number
  maxMs: number
  readonly bins: Float32Array
}

const BINS = 128
/** Added before taking logarithms: below it clocks and schedulers are measured, not services. */
const FLOOR_MS = 0.2
export const LOG_STEP = Math.log(1.15)

export function createCell(): Cell {
  return { weight: 0, squares: 0, sumMs: 0, maxMs: 0, bins: new Float32Array(BINS) }
}

/** A weight below zero takes back what was observed with it; `maxMs` stays, so that a slow visit which was none does not blame anybody. */
export function observe(cell: Cell, ms: number, weight: number): void {
  const bin = Math.round(Math.log(1 + ms / FLOOR_MS) / LOG_STEP)
  const at = bin < BINS ? bin : BINS - 1
  cell.weight += weight
  cell.squares += weight * Math.abs(weight)
  cell.sumMs += ms * weight
  if (ms > cell.maxMs) cell.maxMs = ms
  cell.bins[at] = Math.max(0, (cell.bins[at] as number) + weight)
}

/** Adds `from` to `into`, counting it `share` times. */
export function mergeCell(into: Cell, from: Cell, share = 1): void {
  into.weight += from.weight * share
  into.squares += from.squares * share
  into.sumMs += from.sumMs * share
  into.maxMs = Math.max(into.maxMs, from.maxMs)
  for (let at = 0; at < BINS; at++) into.bins[at] = (into.bins[at] as number) + (from.bins[at] as number) * share
}

/** Lets what is in a cell count for less. */
export function fade(cell: Cell, share: number): void {
  cell.weight *= share
  cell.squares *= share
  cell.sumMs *= share
  for (let at = 0; at < BINS; at++) cell.bins[at] = (cell.bins[at] as number) * share
}

export function meanMs(cell: Cell): number {
  return cell.weight === 0 ? 0 : cell.sumMs / cell.weight
}

/** How many observations the weights come from (Kish). */
export function observations(cell: Cell): number {
  return cell.squares === 0 ? 0 : (cell.weight * cell.weight) / cell.squares
}

/** Plain form: weight, squares, sum, maximum, then bin, weight, bin, weight, …. */
export function packCell(cell: Cell): number[] {
  const packed = [cell.weight, cell.squares, cell.sumMs, cell.maxMs]
  for (let at = 0; at < BINS; at++) if (cell.bins[at] !== 0) packed.push(at, cell.bins[at] as number)
  return packed
}

export function unpackCell(packed: readonly number[]): Cell {
  const [weight = 0, squares = 0, sumMs = 0, maxMs = 0] = packed
  const cell = { ...createCell(), weight, squares, sumMs, maxMs }
  for (let at = 4; at + 1 < packed.length; at += 2) {
    const bin = packed[at] as number
    if (bin >= 0 && bin < BINS) cell.bins[bin] = packed[at + 1] as number
  }
  return cell
}
