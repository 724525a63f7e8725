import type { Span } from './spans.ts'

/**
 * The definitions of this folder once more, as plainly as they can be said and without regard for time: a moment is looked at by itself, and each
 * question searches all spans. What the analyser finds must be equal.
 */
export interface Told {
  readonly exclusiveUs: readonly number[]
  readonly ownUs: readonly number[]
  readonly criticalUs: readonly number[]
  readonly parents: readonly number[]
}

interface Placed {
  readonly span: Span
  readonly index: number
  parent: number
  start: number
  end: number
  shift: number
  waited: boolean
}

const ASKS = new Set(['client', 'producer'])
const ANSWERS = new Set(['server', 'consumer'])

export function told(spans: readonly Span[]): Told {
  const placed = spans.map((span, index) => ({
    span,
    index,
    parent: parentOf(spans, index),
    start: span.startUs,
    end: span.startUs + Math.max(0, span.durationUs),
    shift: 0,
    waited: false,
  }))
  const roots = placed.filter(({ parent }) => parent < 0)
  for (const root of roots) placeBelow(placed, root)
  const tops = roots.filter(({ span }) => span.parent === undefined)
  const root = (tops.length > 0 ? tops : roots).reduce((a, b) => (b.start < a.start ? b : a))
  return {
    parents: placed.map(({ parent }) => parent),
    exclusiveUs: placed.map((it) => exclusive(placed, it)),
    ownUs: placed.map((it) => own(placed, it)),
    criticalUs: criticalTimes(placed, root),
  }
}

function parentOf(spans: readonly Span[], index: number): number {
  const { id, parent, kind } = spans[index] as Span
  const shared = spans.findIndex((it, at) => at !== index && it.id === id && ASKS.has(it.kind))
  if (ANSWERS.has(kind) && shared >= 0) return shared
  if (parent === undefined) return -1
  const server = spans.findIndex((it) => it.id === parent && !ASKS.has(it.kind))
  return server >= 0 ? server : spans.findIndex((it) => it.id === parent)
}

function placeBelow(all: Placed[], parent: Placed): void {
  for (const child of all.filter(({ parent: it }) => it === parent.index)) {
    const elsewhere = isElsewhere(child.span, parent.span)
    const detached = child.span.kind === 'consumer' || child.span.kind === 'producer' || (parent.span.kind === 'producer' && elsewhere)
    const long = child.end - child.start
    const slack = parent.end - parent.start - long
    if (!elsewhere) child.shift = parent.shift
    else if (!detached && (child.start < parent.start || child.end > parent.end)) child.shift = parent.start + Math.max(0, slack) / 2 - child.start
    child.start += child.shift
    child.end += child.shift
    const tolerance = Math.max(1000, (parent.end - parent.start) / 100)
    const outlives = !elsewhere && child.end > parent.end + tolerance
    child.waited = !detached && !outlives && child.end >= parent.start && child.start <= parent.end
    placeBelow(all, child)
  }
}

function isElsewhere(child: Span, parent: Span): boolean {
  const servedByClient = ANSWERS.has(child.kind) && parent.kind !== 'internal'
  return child.service !== parent.service || servedByClient || child.instance !== parent.instance
}

/** The sum of the moments of a span at which no child ran that it waited for. */
function exclusive(all: readonly Placed[], { index, start, end }: Placed): number {
  const children = all.filter((it) => it.parent === index && it.waited)
  const moments = momentsOf(all, start, end)
  return sum(moments.filter(({ at }) => !children.some((it) => it.start <= at && at <= it.end)).map(({ long }) => long))
}

/** The sum of the moments of a visit at which it waited for nobody. */
function own(all: readonly Placed[], visit: Placed): number {
  if (visitOf(all, visit) !== visit || visit.span.kind === 'client') return 0
  const waits = all.filter((it) => {
    const parent = all[it.parent]
    if (visitOf(all, it) !== it) return it.span.kind === 'client' && visitOf(all, it) === visit && isAttached(all, it)
    return parent !== undefined && it.waited && !ASKS.has(parent.span.kind) && visitOf(all, parent) === visit && isAttached(all, parent)
  })
  const moments = momentsOf(all, visit.start, visit.end)
  return sum(moments.filter(({ at }) => !waits.some((it) => it.start <= at && at <= it.end)).map(({ long }) => long))
}

function visitOf(all: readonly Placed[], it: Placed): Placed {
  const parent = all[it.parent]
  if (parent === undefined || parent.span.service !== it.span.service) return it
  return ANSWERS.has(it.span.kind) && parent.span.kind !== 'internal' ? it : visitOf(all, parent)
}

function isAttached(all: readonly Placed[], it: Placed): boolean {
  return visitOf(all, it) === it || (it.waited && isAttached(all, all[it.parent] as Placed))
}

/** Each moment of the root is asked who it belongs to. */
function criticalTimes(all: readonly Placed[], root: Placed): number[] {
  const times = all.map(() => 0)
  for (const { at, long } of momentsOf(all, root.start, root.end)) {
    const owner = ownerAt(all, root, root.start, root.end, at)
    times[owner] = (times[owner] as number) + long
  }
  return times
}

function ownerAt(all: readonly Placed[], span: Placed, from: number, to: number, at: number): number {
  const overlap = (span.end - span.start) / 100
  const children = all.filter((it) => it.parent === span.index && it.waited)
  let cursor = to
  let limit = Infinity
  for (;;) {
    const possible = children.filter((it) => returned(it, span) <= limit && begun(it, span, from) < Math.min(returned(it, span), cursor))
    if (possible.length === 0) return span.index
    const last = possible.reduce((a, b) => (isLater(b, a, span) ? b : a))
    const begin = begun(last, span, from)
    const end = Math.min(returned(last, span), cursor)
    if (at > end) return span.index
    if (at > begin) return ownerAt(all, last, begin, end, at)
    cursor = begin
    limit = begin + overlap
  }
}

function returned(child: Placed, parent: Placed): number {
  return Math.min(child.end, parent.end)
}

function begun(child: Placed, parent: Placed, from: number): number {
  return Math.max(child.start, parent.start, from)
}

function isLater(a: Placed, b: Placed, parent: Placed): boolean {
  if (returned(a, parent) !== returned(b, parent)) return returned(a, parent) > returned(b, parent)
  return begun(a, parent, parent.start) < begun(b, parent, parent.start)
}

/** Between two neighbouring ends or beginnings of any spans nothing changes: one moment stands for all of them. */
function momentsOf(all: readonly Placed[], from: number, to: number): { at: number; long: number }[] {
  const bounds = [...new Set(all.flatMap(({ start, end }) => [start, end]))].filter((it) => it >= from && it <= to).sort((a, b) => a - b)
  return bounds.slice(1).map((bound, at) => ({ at: (bound + (bounds[at] as number)) / 2, long: bound - (bounds[at] as number) }))
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0)
}
