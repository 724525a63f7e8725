import { type Blame, BUCKET_MS, blame, type Change, type ServiceGraph, slowSince } from '../core/tracegraph/index.ts'
import type { Suspect, WhyView } from './telemetry.ts'

/** What is new is looked for in each of these; the clearest answer counts. The last bucket is seldom full: two of them are the shortest. */
const NOW_MS = [2 * BUCKET_MS, 60_000, 300_000] as const
/** How long before that the usual is looked for. */
const USUAL_MS = 900_000
/** Fewer lost spans change nothing that anybody would do. */
const HOLE = 0.1

/**
 * The service that makes requests slower than usual, as far as they pass the one that was asked for; in one sentence, with what speaks for it.
 *
 * @example why(graph, { service: 'web', windowMs: 300_000, nowMs }).sentence
 * // 'web is slow because of pricing: its own time went from 12 ms to 240 ms since 12:03:20 (code)'
 */
export function why(
  graph: ServiceGraph,
  { service, windowMs, nowMs }: { readonly service: string; readonly windowMs: number; readonly nowMs: number },
): WhyView {
  const endMs = nowMs + 1
  const calls = callsOf(graph, service, nowMs - windowMs, endMs)
  if (calls === 0) return answer(`no request through ${service} was traced in the last ${minutes(windowMs)}`)
  const looks = NOW_MS.filter((ms) => ms <= windowMs).map((ms) => {
    const fromMs = Math.floor((nowMs - ms) / BUCKET_MS) * BUCKET_MS + BUCKET_MS
    const found = blame(graph, graph.stretch(fromMs, endMs), graph.stretch(fromMs - USUAL_MS, fromMs), { below: service })
    return { fromMs, found, usual: callsOf(graph, service, fromMs - USUAL_MS, fromMs) }
  })
  const best = looks.filter(({ found }) => found.length > 0).sort((a, b) => (b.found[0]?.z ?? 0) - (a.found[0]?.z ?? 0))[0]
  const first = best?.found[0]
  if (best && first) {
    const since = slowSince(graph, first, best.fromMs, Math.ceil(endMs / BUCKET_MS) * BUCKET_MS)
    return {
      ...answer(sentenceOf(service, first, since)),
      since,
      load: first.evidence.visitsPerSecond,
      ranked: best.found.map((it) => suspectOf(it, it === first ? since : best.fromMs)),
    }
  }
  if (looks.every(({ usual }) => usual === 0)) return answer(`${service} has been traced for too short a time to know what is usual for it`)
  return answer(`no service that requests through ${service} pass takes longer than usual`)

  function answer(sentence: string): WhyView {
    return { at: nowMs, service, sentence, since: null, load: null, holes: holesIn(graph, nowMs - windowMs, endMs), ranked: [] }
  }
}

function holesIn(graph: ServiceGraph, fromMs: number, toMs: number): WhyView['holes'] {
  return graph
    .nodes(fromMs, toMs)
    .map(({ service, stats }) => ({ service, lostShare: stats.lost === 0 ? 0 : stats.lost / (stats.calls + stats.lost) }))
    .filter((it) => it.lostShare > HOLE)
    .sort((a, b) => b.lostShare - a.lostShare)
}

function callsOf(graph: ServiceGraph, service: string, fromMs: number, toMs: number): number {
  return graph.nodes(fromMs, toMs).find((it) => it.service === service)?.stats.calls ?? 0
}

const BECAUSE: Readonly<Record<Blame['kind'], string>> = {
  capacity: 'capacity: it gets more requests than its replicas can take',
  code: 'code, not capacity: it takes longer at the same load',
  network: 'network: the time is lost on the way to it, not in it',
  dependency: 'a dependency outside of the app',
}

function sentenceOf(asked: string, { service, kind, evidence, lostMs }: Blame, fromMs: number): string {
  const who = service === asked ? `${asked} itself is slow` : `${asked} is slow because of ${service}`
  const lost = `a request loses ${ms(lostMs)} to it`
  return `${who}: it went from ${changeText(evidence.residenceMs, ms)} since ${clock(fromMs)}, ${lost} (${BECAUSE[kind]})`
}

function suspectOf({ service, kind, z, evidence }: Blame, fromMs: number): Suspect {
  const { ownMs, gapMs, visitsPerSecond, utilisation, lostShare } = evidence
  return {
    service,
    kind,
    score: z,
    evidence: [
      `own time ${changeText(ownMs, ms)} since ${clock(fromMs)}`,
      `waited for beyond that ${changeText(gapMs, ms)}`,
      `visits a second ${changeText(visitsPerSecond, (it) => it.toFixed(it < 10 ? 1 : 0))}`,
      `busy ${changeText(utilisation, (it) => `${Math.round(100 * it)} %`)}`,
      ...(lostShare > 0.01 ? [`${Math.round(100 * lostShare)} % of its spans never came: this is known of the rest only`] : []),
    ],
  }
}

function changeText({ before, now }: Change, text: (value: number) => string): string {
  return `${text(before)} to ${text(now)}`
}

function ms(value: number): string {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`
}

function clock(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 19)
}

function minutes(windowMs: number): string {
  const count = Math.round(windowMs / 60_000)
  return count === 1 ? 'minute' : `${count} minutes`
}
