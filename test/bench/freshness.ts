/** T3: how soon after a span was sent its call, its critical path and its trace are there. */
import { setTimeout as pause } from 'node:timers/promises'
import { requestOf, spanId, type TestSpan } from '../../src/telemetry/window/testing.ts'
import type { Figure, Goal } from './goal.ts'
import { type RunningIntake, startIntake } from './load/intake.ts'
import { chanceFrom } from './load/span-traffic.ts'
import { atMost, percentile } from './measured.ts'

const TRACES = { short: 300, full: 3000 }
const EVERY_MS = 20
/** As an SDK's batches are: the callee's spans come so much before or after the caller's. */
const BATCH_MS = 500
const SETTLE_MS = 4000

export const goals: readonly Goal[] = [
  {
    id: 'T3',
    title: 'span received → call, critical path, trace by its id',
    run: ({ full, seed }) => measure(full ? TRACES.full : TRACES.short, chanceFrom(seed)),
  },
]

interface Sent {
  readonly lastMs: number
  readonly foundAfterMs: number
}

async function measure(traces: number, chance: () => number): Promise<Figure[]> {
  await using intake = await startIntake({ core: null })
  const sent = new Map<string, Sent>()
  const under: Promise<void>[] = []
  for (let n = 0; n < traces; n++) {
    const id = Array.from({ length: 16 }, () =>
      Math.floor(chance() * 256)
        .toString(16)
        .padStart(2, '0'),
    ).join('')
    under.push(sendTrace(intake, id, chance).then((it) => void sent.set(id, it)))
    await pause(EVERY_MS)
  }
  await Promise.all(under)
  await pause(SETTLE_MS)
  const { times } = await intake.seen()
  const timesOf = (of: 'edgeMs' | 'closedMs') =>
    [...sent].map(([id, { lastMs }]) => ((times[String(Number.parseInt(id.slice(24), 16))]?.[of] ?? Number.POSITIVE_INFINITY) - lastMs) / 1000)
  const detail = `p99 of ${traces} traces whose two services send up to ${BATCH_MS} ms apart`
  return [
    atMost(2, 's', percentile(timesOf('edgeMs'), 0.99), `call told of; ${detail}`),
    atMost(4, 's', percentile(timesOf('closedMs'), 0.99), `critical path; ${detail}`),
    atMost(
      5,
      's',
      percentile(
        [...sent.values()].map(({ foundAfterMs }) => foundAfterMs / 1000),
        0.99,
      ),
      `found by its id; ${detail}`,
    ),
  ]
}

/** Two services send their part; which first is chance. */
async function sendTrace(intake: RunningIntake, trace: string, chance: () => number): Promise<Sent> {
  const spans: readonly TestSpan[] = [
    { trace, id: spanId(1), kind: 'server', service: 'web', durationMs: 20 },
    { trace, id: spanId(2), parent: spanId(1), kind: 'client', service: 'web', durationMs: 15 },
    { trace, id: spanId(3), parent: spanId(2), kind: 'server', service: 'api', durationMs: 10 },
  ]
  const parts = [spans.slice(0, 2), spans.slice(2)]
  if (chance() < 0.5) parts.reverse()
  await post(intake.port, requestOf(parts[0] as TestSpan[]))
  await pause(chance() * BATCH_MS)
  const lastMs = Date.now()
  await post(intake.port, requestOf(parts[1] as TestSpan[]))
  if (!(await intake.finds(trace))) throw new Error(`${trace} was answered 200 and is not there`)
  return { lastMs, foundAfterMs: Date.now() - lastMs }
}

async function post(port: number, body: Uint8Array): Promise<void> {
  const { status } = await fetch(`http://127.0.0.1:${port}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: body as Uint8Array<ArrayBuffer>,
  })
  if (status !== 200) throw new Error(`answered ${status}`)
}
