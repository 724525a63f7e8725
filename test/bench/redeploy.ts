/** D2: a change to one service until it serves. D3: and back, warm and cold, as a client sees it that never stops asking. */
import { setTimeout as pause } from 'node:timers/promises'
import { eventually, type Installation } from '../e2e/installation.ts'
import { changeSource, deployed, HELLO, withHello, withInstallation } from './deployed.ts'
import type { Figure, Goal } from './goal.ts'
import type { Sightings } from './load/hammer.ts'
import { LoadProcess, nanoseconds } from './load/process.ts'
import { atMost, percentile, spread, timed } from './measured.ts'

export const goals: readonly Goal[] = [
  { id: 'D2', title: 'redeploy of one changed service, p95', run: ({ full }) => measureRedeploys(full ? 50 : 10) },
  {
    id: 'D3',
    title: 'rollback until all traffic is on the old release',
    run: ({ full }) => measureRollbacks(full ? { warm: 50, cold: 20 } : { warm: 20, cold: 4 }),
  },
]

async function measureRedeploys(count: number): Promise<Figure[]> {
  const figure = (what: string, seconds: readonly number[]) => atMost(3, 's', percentile(seconds, 0.95), `p95, ${what}: ${spread(seconds, 's')}`)
  const hello = await withHello('', (weir, { folder }) => redeploys(weir, folder, ['server.js'], count))
  const playlist = await withInstallation(async (weir) => {
    const folder = weir.example('playlist')
    await deployed(weir, ['up'], folder)
    return redeploys(weir, folder, ['web/server.js', 'songs/server.js'], count)
  })
  return [figure('hello', hello), figure('playlist, web and songs (locked packages, a migration) in turn', playlist)]
}

/** `weir deploy` from its start to its end, which is when every worker of the gateway sends all to the new release. */
async function redeploys(weir: Installation, folder: string, files: readonly string[], count: number): Promise<number[]> {
  const seconds: number[] = []
  for (let round = 0; round < count; round++) {
    changeSource(folder, files[round % files.length] as string, `round ${round}`)
    seconds.push(await timed(() => deployed(weir, ['deploy'], folder)))
  }
  return seconds
}

async function measureRollbacks(counts: { readonly warm: number; readonly cold: number }): Promise<Figure[]> {
  const warm = await withHello('', (weir, hello) => rollbacks(weir, hello, counts.warm, false))
  const cold = await withHello('    release: { keep: 1s }\n', (weir, hello) => rollbacks(weir, hello, counts.cold, true))
  const decided = warm.map((it) => it.decidedToAcknowledgedMs)
  return [
    atMost(1, 's', percentile(seconds(warm), 0.95), `p95, warm, request sent → last answer of the release left: ${spread(seconds(warm), 's')}`),
    atMost(100, 'ms', percentile(decided, 0.95), `p95, decision → acknowledgement of the last worker seen, by the events of both: ${spread(decided, 'ms')}`),
    atMost(3, 's', percentile(seconds(cold), 0.95), `p95, after keep: ${spread(seconds(cold), 's')}`),
  ]
}

interface Rollback {
  readonly allOnOldS: number
  readonly decidedToAcknowledgedMs: number
}

function seconds(all: readonly Rollback[]): number[] {
  return all.map((it) => it.allOnOldS)
}

/** Back, and back from there: the release left stays warm for `keep`, and a rollback to it is the next one. */
async function rollbacks(weir: Installation, { folder, url }: { folder: string; url: string }, count: number, cold: boolean): Promise<Rollback[]> {
  changeSource(folder, 'server.js', 'second')
  await deployed(weir, ['deploy'], folder)
  const hammer = new LoadProcess<Sightings>('hammer.ts', url, 4, 1)
  try {
    const done: Rollback[] = []
    for (let round = 0; round < count; round++) done.push(await rollback(weir, hammer, round % 2 === 0 ? { from: 2, to: 1 } : { from: 1, to: 2 }, cold))
    const { failures } = await hammer.ask()
    if (failures.length > 0) throw new Error(`requests failed meanwhile: ${failures.join('; ')}`)
    return done
  } finally {
    await hammer.end()
  }
}

async function rollback(weir: Installation, hammer: LoadProcess<Sightings>, { from, to }: { from: number; to: number }, cold: boolean): Promise<Rollback> {
  if (cold) await eventually('nothing is warm any more', async () => (await replicas(weir)) === 1, 20_000)
  await eventually('the release to leave serves', async () => (await hammer.ask()).releases[`v${from}`])
  const sentAt = nanoseconds()
  const { status, body } = await weir.api('POST', `${HELLO}/rollback`, { to })
  if (status !== 202) throw new Error(`rollback answered ${status}: ${JSON.stringify(body)}`)
  const rollout = await eventually('the rollback is done', async () => {
    const { items } = (await weir.api<{ items: Rollout[] }>('GET', `${HELLO}/rollouts?limit=1`)).body
    return items[0]?.kind === 'rollback' && items[0].target === to && items[0].outcome === 'promoted' ? items[0] : null
  })
  await pause(100) // what is still under way is answered by then
  const left = (await hammer.ask()).releases[`v${from}`]
  if (!left) throw new Error(`v${from} never answered`)
  return { allOnOldS: (left.last - sentAt) / 1e9, decidedToAcknowledgedMs: Date.parse(rollout.endedAt) - Date.parse(rollout.startedAt) }
}

interface Rollout {
  readonly kind: string
  readonly target: number
  readonly outcome: string | null
  /** Stored in the transaction of the decision, and of the pass that saw that every worker had acknowledged. */
  readonly startedAt: string
  readonly endedAt: string
}

async function replicas(weir: Installation): Promise<number> {
  return (await weir.api<{ replicas: unknown[] }>('GET', HELLO)).body.replicas.length
}
