import { type Blame, blame } from './blame.ts'
import { readKey } from './bucket.ts'
import { type Cell, meanMs } from './cell.ts'
import { BUCKET_MS, type ServiceGraph, type Stretch } from './service-graph.ts'
import { merged } from './shift.ts'

export interface Why {
  /** One sentence for people. */
  readonly sentence: string
  /** Since when the first of `ranked` is slow, in milliseconds since 1970. */
  readonly sinceMs: number | null
  /** Most likely first; empty: nothing is wrong, or too little is known. */
  readonly ranked: readonly Blame[]
}

/** How long it may have been going on, tried one after the other: what began a moment ago is lost in a long stretch, what is rare in a short one. */
const LENGTHS_MS = [20_000, 60_000, 180_000, 420_000]

/**
 * Why a service is slow: looks for the stretch before `nowMs` that differs most from what was before it, and says who it is.
 *
 * @example why(graph, 'checkout', now).sentence
 * // "checkout is slow since 12:04: pricing takes 310 ms a call, was 40 ms, at unchanged load: code or something it waits for, not capacity"
 */
export function why(graph: ServiceGraph, service: string, nowMs: number): Why {
  const toMs = (Math.floor(nowMs / BUCKET_MS) + 1) * BUCKET_MS
  let found: { ranked: readonly Blame[]; fromMs: number } | null = null
  for (const lengthMs of LENGTHS_MS) {
    const fromMs = toMs - lengthMs
    const ranked = blame(graph, graph.stretch(fromMs, toMs), graph.stretch(-Infinity, fromMs), { below: service })
    if (ranked.length > 0 && (ranked[0]?.z ?? 0) > (found?.ranked[0]?.z ?? 0)) found = { ranked, fromMs }
  }
  const [first] = found?.ranked ?? []
  if (found === null || first === undefined) return { sentence: `${service} is not slower than usual, or too little of it was seen`, sinceMs: null, ranked: [] }
  const sinceMs = slowSince(graph, first, found.fromMs, toMs)
  return { sentence: `${service} is slow since ${clock(sinceMs)}: ${sentenceOf(first)}`, sinceMs, ranked: found.ranked }
}

/** Goes back, bucket by bucket, as long as the service was nearer to what it is now than to what it was. */
export function slowSince(graph: ServiceGraph, { service, evidence }: Blame, fromMs: number, toMs: number): number {
  const { before, now } = evidence.residenceMs
  const halfway = Math.sqrt((before + 1) * (now + 1)) - 1
  const isSlow = (atMs: number) => residenceMs(graph, service, graph.stretch(atMs, atMs + BUCKET_MS)) >= halfway
  let sinceMs = toMs
  for (let atMs = fromMs; atMs < toMs && sinceMs === toMs; atMs += BUCKET_MS) if (isSlow(atMs)) sinceMs = atMs
  while (isSlow(sinceMs - BUCKET_MS)) sinceMs -= BUCKET_MS
  return sinceMs === toMs ? fromMs : sinceMs
}

function residenceMs(graph: ServiceGraph, service: string, stretch: Stretch): number {
  const [own, into]: [Cell[], Cell[]] = [[], []]
  for (const bucket of stretch.buckets) {
    for (const [key, cell] of bucket.cells) {
      const { node, edge } = readKey(key)
      if (node !== null && graph.node(node).service === service) own.push(cell)
      if (edge !== null && graph.edge(edge).callee === service) into.push(cell)
    }
  }
  return own.length + into.length === 0 ? -1 : meanMs(merged(own)) + meanMs(merged(into))
}

function sentenceOf({ service, kind, evidence }: Blame): string {
  const { residenceMs: residence, outgoingGapMs, visitsPerSecond: load, utilisation, gapMs, lostShare } = evidence
  const late = outgoingGapMs.now > 2 * outgoingGapMs.before && outgoingGapMs.now > residence.now
  const takes = late
    ? `whatever ${service} calls seems ${milliseconds(outgoingGapMs.now)} away, was ${milliseconds(outgoingGapMs.before)}`
    : `${service} takes ${milliseconds(residence.now)} a call, was ${milliseconds(residence.before)}`
  const holes = lostShare > 0.1 ? `; ${Math.round(100 * lostShare)} % of its spans are missing` : ''
  return `${takes}, ${loadOf(load)}: ${MEANING[kind]({ gap: gapMs, utilisation })}${holes}`
}

const MEANING: Readonly<Record<Blame['kind'], (of: { gap: { before: number; now: number }; utilisation: { now: number } }) => string>> = {
  capacity: ({ utilisation }) => `capacity, its replicas are ${Math.round(100 * utilisation.now)} % busy`,
  code: () => 'code or something it waits for, not capacity',
  network: ({ gap }) =>
    `the network or the queue in front of it (${milliseconds(gap.now)} a call, was ${milliseconds(gap.before)}), its own work takes no longer`,
  dependency: () => 'a dependency that sends no spans of its own, not capacity of those who call it',
}

function loadOf({ before, now }: { before: number; now: number }): string {
  if (before <= 0) return 'at a load that was not there before'
  const percent = Math.round(100 * (now / before - 1))
  if (Math.abs(percent) < 10) return 'at unchanged load'
  return percent > 0 ? `at ${percent} % more load` : `at ${-percent} % less load`
}

/** @example milliseconds(3.14159) // '3.1 ms' */
function milliseconds(ms: number): string {
  return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`
}

/** Time of day, UTC. */
function clock(ms: number): string {
  const minutes = Math.floor(ms / 60_000) % 1440
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
}
