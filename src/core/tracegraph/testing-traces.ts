import fc from 'fast-check'
import type { Span } from './spans.ts'

/** One span as chance draws it: where it hangs, and where in its parent it lies, in thousandths that may reach outside of it. */
interface Drawn {
  readonly parent: number
  readonly kind: Span['kind']
  readonly service: number
  readonly instance: number
  readonly from: number
  readonly to: number
  readonly sharedId: boolean
}

/** Traces as they come in: overlapping and async children, clocks that are off by up to an hour, shared ids, spans that got lost, in any order. */
export const traces: fc.Arbitrary<Span[]> = fc
  .tuple(
    fc.array(drawn(), { minLength: 0, maxLength: 24 }),
    fc.array(fc.integer({ min: -3_600_000_000, max: 3_600_000_000 }), { minLength: 8, maxLength: 8 }),
    fc.array(fc.nat(30), { maxLength: 3 }),
    fc.integer(),
    fc.boolean(),
  )
  .map(([spans, skews, lost, order, skewed]) => {
    const all = lay(spans, skewed ? skews : skews.map(() => 0))
    const kept = all.filter((_, at) => at === 0 || !lost.includes(at))
    return shuffled(kept, order)
  })

function drawn(): fc.Arbitrary<Drawn> {
  return fc.record({
    parent: fc.nat(),
    kind: fc.constantFrom('internal', 'client', 'client', 'server', 'server', 'producer', 'consumer', 'unspecified'),
    service: fc.nat(3),
    instance: fc.nat(1),
    from: fc.integer({ min: -100, max: 1000 }),
    to: fc.integer({ min: 0, max: 1150 }),
    sharedId: fc.boolean(),
  })
}

function lay(drawnSpans: readonly Drawn[], skews: readonly number[]): Span[] {
  const spans: Span[] = [span(0, undefined, { service: 0, instance: 0, kind: 'server', from: 0, to: 100_000 })]
  const places = [{ start: 0, end: 100_000 }]
  drawnSpans.forEach((it, at) => {
    const parentAt = it.parent % spans.length
    const parent = spans[parentAt] as Span
    const { start, end } = places[parentAt] as { start: number; end: number }
    const unit = Math.max(1, (end - start) / 1000)
    const from = Math.round(start + it.from * unit)
    const to = Math.max(from, Math.round(start + it.to * unit))
    places.push({ start: from, end: to })
    const shares = it.sharedId && it.kind === 'server' && parent.kind === 'client' && !spans.some(({ id, kind }) => id === parent.id && kind === 'server')
    const made = span(at + 1, shares ? parent.parent : parent.id, { ...it, from, to })
    spans.push(shares ? { ...made, id: parent.id } : made)
  })
  return spans.map((it) => ({ ...it, startUs: it.startUs + 10_000_000_000 + (skews[clockOf(it)] as number) }))
}

function clockOf({ service, instance }: Span): number {
  return Number(service.slice(1)) * 2 + Number(instance)
}

interface Where {
  readonly service: number
  readonly instance: number
  readonly kind: Span['kind']
  readonly from: number
  readonly to: number
}

function span(number: number, parent: string | undefined, { service, instance, kind, from, to }: Where): Span {
  return {
    trace: '0af7651916cd43dd8448eb211c80319c',
    id: (number + 1).toString(16).padStart(16, '0'),
    ...(parent === undefined ? {} : { parent }),
    service: `s${service}`,
    instance: String(instance),
    operation: `op${service}`,
    kind,
    startUs: from,
    durationUs: to - from,
  }
}

function shuffled(spans: readonly Span[], seed: number): Span[] {
  const keyed = spans.map((it, at) => ({ it, key: Math.imul(at + 1, seed | 1) ^ Math.imul(seed, 0x9e3779b1) }))
  return keyed.sort((a, b) => a.key - b.key).map(({ it }) => it)
}
