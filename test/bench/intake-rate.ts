/** T1: how many spans a second one core takes in over HTTP, from gzip to calls and critical path, in how much memory, without losing one. */
import { spawnSync } from 'node:child_process'
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { spansGone } from '../../src/telemetry/window/losses.ts'
import type { Figure, Goal } from './goal.ts'
import { startIntake } from './load/intake.ts'
import { type Body, SHAPES, spanTraffic } from './load/span-traffic.ts'
import { atLeast, atMost } from './measured.ts'

/** More spans than the window holds, so that no id comes twice while it is remembered. */
const TRACES = 58_000
const LANES = 6
const SECONDS = { short: 15, full: 60 }
const LEAST_PER_SECOND = 250_000
const MOST_RSS_MB = 512
/** Longer than a trace is waited for. */
const SETTLE_MS = 4000

export const goals: readonly Goal[] = [
  {
    id: 'T1',
    title: 'spans taken in by one core: HTTP, gzip, calls, critical path',
    run: ({ full, seed }) => measure(full ? SECONDS.full : SECONDS.short, seed),
  },
]

async function measure(seconds: number, seed: number): Promise<Figure[]> {
  const bodies = [...spanTraffic({ traces: TRACES, startMs: Date.now(), seed })]
  await using intake = await startIntake({ core: 1 })
  spawnSync('taskset', ['-acp', '0', String(process.pid)])
  await send(intake.port, bodies, 3)
  const before = await intake.seen()
  const { spans, elapsedMs, refused } = await send(intake.port, bodies, seconds)
  const after = await intake.seen()
  await pause(SETTLE_MS)
  const settled = await intake.seen()
  const bytes = bodies.reduce((sum, body) => sum + body.bytes, 0) / bodies.reduce((sum, body) => sum + body.spans, 0)
  const missing = settled.accepted - settled.closedSpans
  const lost = Object.fromEntries(settled.losses.map(({ cause, count }) => [cause, count]))
  const perCpuSecond = (after.accepted - before.accepted) / ((after.cpuMs - before.cpuMs) / 1000)
  return [
    atLeast(
      LEAST_PER_SECOND,
      '/s',
      spans / (elapsedMs / 1000),
      `${seconds} s, ${SHAPES.length}-span traces of ${Math.round(bytes)} bytes a span, ${LANES} connections, ${refused} requests sent away and sent again`,
    ),
    atLeast(LEAST_PER_SECOND, '/s', perCpuSecond, `spans per second of processor time`),
    atMost(
      0,
      '',
      spansGone(lost) + missing,
      `spans lost, of ${settled.accepted}; ${settled.closedTraces} traces, ${settled.criticalSpans} spans on critical paths, ${settled.edges.length} edges; at this rate the attributes of ${lost['raw-gone'] ?? 0} were written over before their trace closed`,
    ),
    atMost(MOST_RSS_MB, 'MB', settled.rssBytes / 1e6, 'memory at most'),
  ]
}

/** Sends for so long over a few connections without pause; a request that is sent away is sent again. */
async function send(port: number, bodies: readonly Body[], seconds: number): Promise<{ spans: number; elapsedMs: number; refused: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: LANES })
  const begun = performance.now()
  let spans = 0
  let refused = 0
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      while (performance.now() - begun < seconds * 1000) {
        const body = bodies[next++ % bodies.length] as Body
        while ((await post(agent, port, body.gzip)) === 503) {
          refused++
          await pause(100)
        }
        spans += body.spans
      }
    }),
  )
  agent.destroy()
  return { spans, elapsedMs: performance.now() - begun, refused }
}

let next = 0

function post(agent: Agent, port: number, body: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip', 'content-length': body.length }
    const sent = request({ agent, host: '127.0.0.1', port, path: '/v1/traces', method: 'POST', headers }, (response) => {
      const { statusCode = 0 } = response
      response.resume()
      response.on('end', () => (statusCode === 200 || statusCode === 503 ? resolve(statusCode) : reject(new Error(`answered ${statusCode}`))))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
