/** T8: the telemetry process is killed under load; what was taken in and is in no count, and when the graph is back. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { RpcClient } from '../../src/rpc/client.ts'
import { Database } from '../../src/store/database.ts'
import { TelemetryClient } from '../../src/telemetry/client.ts'
import { intakeKey } from '../../src/telemetry/keys.ts'
import type { Installation } from '../e2e/installation.ts'
import { withHello } from './deployed.ts'
import type { Figure, Goal } from './goal.ts'
import { LoadProcess } from './load/process.ts'
import type { Sent } from './load/span-sender.ts'
import { atMost, spread } from './measured.ts'

const PER_SECOND = 10_000
const BEFORE_S = 8
const MOST_LOST_S = 2
/** An answer that is a graph, from when the process answers again. */
const MOST_BACK_MS = 1_000
const SETTLE_MS = 12_000
const RUNS = { short: 1, full: 5 }

export const goals: readonly Goal[] = [
  { id: 'T8', title: 'the intake is killed and restarted', run: ({ full, seed }) => measure(full ? RUNS.full : RUNS.short, seed) },
]

async function measure(runs: number, seed: number): Promise<Figure[]> {
  const lost: number[] = []
  const back: number[] = []
  for (let run = 0; run < runs; run++) {
    const one = await killed(seed + run)
    lost.push(one.lostS)
    back.push(one.backMs)
  }
  return [
    atMost(MOST_LOST_S, 's', Math.max(...lost), `of spans lost at ${PER_SECOND}/s: ${spread(lost, 's')}`),
    atMost(MOST_BACK_MS, 'ms', Math.max(...back), `from the first answer to one with all calls of before: ${spread(back, 'ms')}`),
  ]
}

function killed(seed: number): Promise<{ lostS: number; backMs: number }> {
  return withHello('', async (weir) => {
    const home = weir.env['WEIR_HOME'] ?? ''
    const secret = Buffer.from(readFileSync(join(home, 'intake.secret'), 'utf8').trim(), 'hex')
    const sender = new LoadProcess<Sent>('span-sender.ts', weir.env['WEIR_OTLP_PORT'] ?? '', intakeKey(secret, 'e1'), seed)
    const rpc = new RpcClient(join(home, 'run/telemetry/control.sock'))
    const telemetry = new TelemetryClient(rpc)
    const edges = async () => (await telemetry.graph('e1', { windowMs: 300_000 })).edges.map(({ caller, callee }) => `${caller} ${callee}`)
    try {
      await sender.ask()
      const sent = await sender.ask(JSON.stringify({ seconds: BEFORE_S, perSecond: PER_SECOND }))
      const known = await edges()
      process.kill(await pidOf(weir), 'SIGKILL')
      const first = await answered(edges)
      const begun = performance.now()
      while (!known.every((edge) => first.includes(edge)) && performance.now() - begun < 10_000) {
        await pause(10)
        first.splice(0, first.length, ...(await edges()))
      }
      const backMs = performance.now() - begun
      await pause(SETTLE_MS)
      return { lostS: (sent.accepted - (await counted(home))) / PER_SECOND, backMs }
    } finally {
      rpc.close()
      await sender.end()
    }
  })
}

async function pidOf(weir: Installation): Promise<number> {
  const runner = new RpcClient(join(weir.env['WEIR_HOME'] ?? '', 'run/runner.sock'))
  try {
    const daemons = (await runner.call('daemons', {})) as { name: string; pid: number | null }[]
    const pid = daemons.find(({ name }) => name === 'telemetry')?.pid
    if (typeof pid !== 'number') throw new Error('no telemetry process runs')
    return pid
  } finally {
    runner.close()
  }
}

/** The first answer of the next process. */
async function answered<T>(ask: () => Promise<T>): Promise<T> {
  const until = performance.now() + 20_000
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (performance.now() > until) throw error
      await pause(20)
    }
  }
}

async function counted(home: string): Promise<number> {
  const password = readFileSync(join(home, 'store.password'), 'utf8')
  const database = new Database({ socketDir: join(home, 'run/pg'), port: 5432, user: 'weir', database: 'weir', password })
  try {
    const [row] = await database.rows<{ counted: number }>(
      `select coalesce(sum(count), 0) as counted from (select * from telemetry.rollups_fresh union all select * from telemetry.rollups_10s) r
       where kind in (1, 2) and environment = 1`,
    )
    return row?.counted ?? 0
  } finally {
    await database.close()
  }
}
