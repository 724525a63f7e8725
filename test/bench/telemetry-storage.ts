/** T2: a whole Weir that stores what it is sent, at the rate it can take and at three times the rate it has to. */
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { RpcClient } from '../../src/rpc/client.ts'
import { Database } from '../../src/store/database.ts'
import { TelemetryClient } from '../../src/telemetry/client.ts'
import { intakeKey } from '../../src/telemetry/keys.ts'
import { spansGone } from '../../src/telemetry/window/losses.ts'
import type { Installation } from '../e2e/installation.ts'
import { HELLO, withHello } from './deployed.ts'
import type { Figure, Goal } from './goal.ts'
import { LoadProcess } from './load/process.ts'
import type { Phase, Sent } from './load/span-sender.ts'
import { atLeast, atMost, percentile, spread } from './measured.ts'

const LEAST_PER_SECOND = 100_000
const OVERLOAD = 3
const MOST_API_MS = 100
const API_EVERY_MS = 50
const SECONDS = { short: 15, full: 60 }
/** A trace closes, a bucket ends and is written. */
const SETTLED_MS = 25_000

export const goals: readonly Goal[] = [
  { id: 'T2', title: 'spans taken in, rolled up and stored; three times as many', run: ({ full, seed }) => measure(full ? SECONDS.full : SECONDS.short, seed) },
]

async function measure(seconds: number, seed: number): Promise<Figure[]> {
  return withHello('', async (weir) => {
    const home = weir.env['WEIR_HOME'] ?? ''
    const secret = Buffer.from(readFileSync(join(home, 'intake.secret'), 'utf8').trim(), 'hex')
    const sender = new LoadProcess<Sent>('span-sender.ts', weir.env['WEIR_OTLP_PORT'] ?? '', intakeKey(secret, 'e1'), seed)
    const send = (phase: Phase) => sender.ask(JSON.stringify(phase))
    try {
      await sender.ask() // its spans are made
      await send({ seconds: 3, perSecond: null })
      const steady = await send({ seconds, perSecond: null })
      const api = watchApi(weir)
      const over = await send({ seconds, perSecond: OVERLOAD * LEAST_PER_SECOND })
      const took = await api.stop()
      await pause(SETTLED_MS)
      const after = await stored(weir)
      const { spans, lost } = await accepted(weir)
      const { counted } = after
      return [
        atLeast(
          LEAST_PER_SECOND,
          '/s',
          steady.accepted / (steady.elapsedMs / 1000),
          `${seconds} s; in all ${counted} spans counted, ${after.traces} traces kept in ${Math.round(after.bytes / 2 ** 20)} MB`,
        ),
        atMost(
          0,
          '',
          Math.abs(spans - counted - lost),
          `spans unaccounted for, of ${spans} taken in: ${counted} rolled up, ${lost} counted as lost; overload offered ${rate(over, over.offered)}/s, took ${rate(over, over.accepted)}/s`,
        ),
        atMost(MOST_API_MS, 'ms', percentile(took, 0.99), `API p99 at ${OVERLOAD} × load: ${spread(took, 'ms')}`),
      ]
    } finally {
      await sender.end()
    }
  })
}

function rate({ elapsedMs }: Sent, spans: number): number {
  return Math.round(spans / (elapsedMs / 1000))
}

/** Every span is counted once: as an operation, or, a client's, as a call. */
async function stored(weir: Installation): Promise<{ counted: number; traces: number; bytes: number }> {
  const home = weir.env['WEIR_HOME'] ?? ''
  const password = readFileSync(join(home, 'store.password'), 'utf8')
  const database = new Database({ socketDir: join(home, 'run/pg'), port: 5432, user: 'weir', database: 'weir', password })
  try {
    const [row] = await database.rows<{ counted: number; traces: number; bytes: number }>(
      `select (select coalesce(sum(count), 0) from (select * from telemetry.rollups_fresh union all select * from telemetry.rollups_10s) r
           where kind in (1, 2) and environment = 1) as counted,
         (select count(*) from telemetry.traces) as traces,
         (select coalesce(sum(pg_total_relation_size(inhrelid)), 0) from pg_inherits where inhparent = 'telemetry.traces'::regclass) as bytes`,
    )
    return row ?? { counted: 0, traces: 0, bytes: 0 }
  } finally {
    await database.close()
  }
}

/** What the telemetry process says of itself. */
async function accepted(weir: Installation): Promise<{ spans: number; lost: number }> {
  const rpc = new RpcClient(join(weir.env['WEIR_HOME'] ?? '', 'run/telemetry/control.sock'))
  const health = await new TelemetryClient(rpc).health().finally(() => rpc.close())
  return { spans: health.spans.accepted, lost: spansGone(health.lost) }
}

function watchApi(weir: Installation): { stop(): Promise<number[]> } {
  const took: Promise<number>[] = []
  const timer = setInterval(() => took.push(timedRead(weir, took.length % 2 === 0 ? HELLO : '/api/v1/apps?limit=100')), API_EVERY_MS)
  return {
    stop: () => {
      clearInterval(timer)
      return Promise.all(took)
    },
  }
}

function timedRead(weir: Installation, path: string): Promise<number> {
  const begun = performance.now()
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: join(weir.env['WEIR_HOME'] ?? '', 'run/server/api.sock'), path }, (response) => {
      response.resume()
      response.on('end', () => (response.statusCode === 200 ? resolve(performance.now() - begun) : reject(new Error(`${path}: ${response.statusCode}`))))
    })
    asking.on('error', reject)
    asking.end()
  })
}
