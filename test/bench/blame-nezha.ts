/**
 * T4: blame on recorded faults. Of each day the quiet minutes are put one after the other as the past, then comes the window of one fault, or for
 * false blame a window of quiet time that is taken out of the past. What a verdict is compared with is the service that the fault was put into.
 */
import { BUCKET_MS, blame, createAnalyser, ServiceGraph } from '../../src/core/tracegraph/index.ts'
import type { Figure, Goal } from './goal.ts'
import { atLeast, atMost } from './measured.ts'
import { type Day, type Fault, type Trace, withNezha } from './telemetry/nezha.ts'
import { randomFrom } from './telemetry/random.ts'

/** What changes how long things take; the other faults change what is answered. */
const PERFORMANCE = new Set(['cpu_contention', 'cpu_consumed', 'network_delay'])
/** The recording of a fault ends at most this long after it began, and nothing of the day is quiet before. */
const FAULT_MS = 6 * 60_000
const QUIET_WINDOWS_MS = [30_000, 60_000]
/** A quiet window with fewer traces, as at the edge of a recording, is none. */
const LEAST_TRACES = 10
const SAMPLED = 0.05
const SAMPLED_RUNS = { short: 5, full: 40 }

export const goals: readonly Goal[] = [{ id: 'T4', title: 'blame on recorded faults, from traces alone', run: async ({ full, seed }) => measure(full, seed) }]

function measure(full: boolean, seed: number): readonly Figure[] {
  const figures = withNezha((days) => {
    const all = days.map((day) => judge(day, () => true))
    const sum = (of: (scores: Scores) => number) => all.reduce((total, scores) => total + of(scores), 0)
    const faults = sum((it) => it.faults)
    const each = (of: (scores: Scores) => number, outOf: (scores: Scores) => number) =>
      all.map((it, at) => `${days[at]?.name} ${of(it)}/${outOf(it)}`).join(', ')
    const top = (of: (scores: Scores) => number, least: number, what: string) =>
      atLeast(least, '%', (100 * sum(of)) / faults, `${what} ${each(of, (it) => it.faults)}`)
    const quiet = sum((it) => it.quiet)
    return [
      top((it) => it.first, 92, `top-1 ${sum((it) => it.first)}/${faults}:`),
      top((it) => it.amongThree, 97, `top-3 ${sum((it) => it.amongThree)}/${faults}:`),
      atMost(
        2,
        '%',
        (100 * sum((it) => it.falseBlame)) / quiet,
        `blamed in quiet windows ${each(
          (it) => it.falseBlame,
          (it) => it.quiet,
        )}`,
      ),
      sampledFigure(
        days,
        sum((it) => it.first),
        full ? SAMPLED_RUNS.full : SAMPLED_RUNS.short,
        seed,
      ),
    ]
  })
  return (
    figures ?? [{ value: Number.NaN, target: 'measured', unit: '', pass: false, detail: 'no data: set WEIR_DATA to the folder with blame-nezha/traces.tar.xz' }]
  )
}

/** Whole traces are sampled, each with the same probability, as the first service of a request does. */
function sampledFigure(days: readonly Day[], unsampled: number, runs: number, seed: number): Figure {
  const random = randomFrom(seed)
  let found = 0
  let there = 0
  for (let run = 0; run < runs; run++) {
    for (const day of days) {
      const scores = judge(day, () => random() < SAMPLED, { quietToo: false })
      found += scores.first
      there += scores.visited
    }
  }
  const detail = `at ${SAMPLED * 100} % sampling top-1 ${(found / runs).toFixed(1)} in the mean of ${runs} samples, unsampled ${unsampled}; in ${(there / runs).toFixed(1)} the faulty service is in the sample three times or more`
  return atMost(1, ' fewer', unsampled - found / runs, detail)
}

interface Scores {
  faults: number
  first: number
  amongThree: number
  /** Faults in whose window the faulty service was visited three times or more. */
  visited: number
  quiet: number
  falseBlame: number
}

function judge(day: Day, keep: (trace: Trace) => boolean, { quietToo } = { quietToo: true }): Scores {
  const scores: Scores = { faults: 0, first: 0, amongThree: 0, visited: 0, quiet: 0, falseBlame: 0 }
  const isQuiet = ({ startMs }: Trace) => !day.faults.some(({ earliestMs }) => startMs >= earliestMs && startMs < earliestMs + FAULT_MS)
  const kept = day.traces.filter(keep)
  const quiet = kept.filter(isQuiet)
  const past = replay(day, quiet)
  for (const fault of day.faults.filter(({ type }) => PERFORMANCE.has(type))) {
    if (!day.traces.some((trace) => isWithin(trace, fault))) continue
    const window = kept.filter((trace) => isWithin(trace, fault))
    const ranked = blamed(day, past, window)
    scores.faults++
    if (ranked[0] === fault.service) scores.first++
    if (ranked.slice(0, 3).includes(fault.service)) scores.amongThree++
    if (window.flatMap(({ visited }) => visited).filter((service) => service === fault.service).length >= 3) scores.visited++
  }
  if (!quietToo) return scores
  for (const windowMs of QUIET_WINDOWS_MS) {
    for (const window of Object.values(Object.groupBy(quiet, ({ startMs }) => Math.floor(startMs / windowMs)))) {
      if (window === undefined || window.length < LEAST_TRACES) continue
      const inWindow = new Set(window)
      const rest = replay(
        day,
        quiet.filter((trace) => !inWindow.has(trace)),
      )
      scores.quiet++
      const ranked = blamed(day, rest, window)
      if (ranked.length > 0) scores.falseBlame++
    }
  }
  return scores
}

function isWithin({ startMs }: Trace, { latestMs }: Fault): boolean {
  return startMs >= latestMs && startMs < latestMs + FAULT_MS
}

/** The window comes after the past, in buckets of its own. */
function blamed(day: Day, past: Replay, window: readonly Trace[]): string[] {
  const { graph } = replay(day, window, past)
  return blame(graph, graph.stretch(past.endMs, Infinity), graph.stretch(-Infinity, past.endMs)).map(({ service }) => service)
}

interface Replay {
  readonly graph: ServiceGraph
  readonly endMs: number
}

const analyser = createAnalyser()

/** One recorded bucket of ten seconds after the other, without the time between recordings. */
function replay({ columns, names }: Day, traces: readonly Trace[], after?: Replay): Replay {
  const graph = new ServiceGraph(names)
  if (after !== undefined) graph.merge(after.graph.snapshot())
  const beginMs = after?.endMs ?? 0
  const buckets = [...new Set(traces.map(({ startMs }) => Math.floor(startMs / BUCKET_MS)))]
  const places = new Map(buckets.sort((a, b) => a - b).map((bucket, at) => [bucket, beginMs + at * BUCKET_MS]))
  for (const { startMs, rows } of traces) {
    graph.add(analyser.analyse(columns, rows, rows.length), columns, places.get(Math.floor(startMs / BUCKET_MS)) ?? beginMs)
  }
  return { graph, endMs: beginMs + buckets.length * BUCKET_MS }
}
