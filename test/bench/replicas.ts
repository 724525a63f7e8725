/** D4: from the request for one more replica to the first answer that it gives, and how many a second start side by side. */
import { eventually, type Installation } from '../e2e/installation.ts'
import { HELLO, withHello } from './deployed.ts'
import type { Figure, Goal } from './goal.ts'
import type { Sightings } from './load/hammer.ts'
import { LoadProcess, nanoseconds } from './load/process.ts'
import { atLeast, atMost, median, percentile, spread, timed } from './measured.ts'

/** Started side by side; each is a Node of its own. */
const MANY = 30
/** One after the other, then back to one. */
const LADDER = 5

export const goals: readonly Goal[] = [
  {
    id: 'D4',
    title: 'new replica created → serving, and starts a second',
    run: ({ full }) => measure(full ? { ladders: 10, waves: 5 } : { ladders: 4, waves: 2 }),
  },
]

async function measure({ ladders, waves }: { readonly ladders: number; readonly waves: number }): Promise<Figure[]> {
  return withHello(`    scale: { min: 1, max: ${MANY + 1} }\n`, async (weir, { url }) => {
    const single: number[] = []
    const hammer = new LoadProcess<Sightings>('hammer.ts', url, 2, 5)
    try {
      await eventually('the first one answers', async () => (await hammer.ask()).requests > 10)
      for (let ladder = 0; ladder < ladders; ladder++) {
        for (let wanted = 2; wanted <= LADDER; wanted++) single.push(await start(weir, hammer, wanted))
        await settle(weir, 1)
      }
    } finally {
      await hammer.end()
    }
    const rates: number[] = []
    for (let wave = 0; wave < waves; wave++) {
      rates.push(MANY / (await startMany(weir, MANY + 1)))
      await settle(weir, 1)
    }
    return [
      atMost(1, 's', percentile(single, 0.95), `p95, request to scale sent → its first answer through the gateway: ${spread(single, 's')}`),
      atLeast(10, '/s', median(rates), `${MANY} starts at once until all are ready, each of ${waves}: ${rates.map((it) => it.toFixed(1)).join(', ')}`),
    ]
  })
}

/** Seconds until one more replica answered for the first time, seen by a client that goes on asking. */
async function start(weir: Installation, hammer: LoadProcess<Sightings>, wanted: number): Promise<number> {
  const before = new Set(Object.keys((await hammer.ask()).replicas))
  const sentAt = nanoseconds()
  await scale(weir, wanted)
  const first = await eventually(
    'another replica answers',
    async () => {
      const { replicas, failures } = await hammer.ask()
      if (failures.length > 0) throw new Error(failures.join('; '))
      return Object.entries(replicas).find(([replica]) => !before.has(replica))?.[1].first
    },
    30_000,
  )
  return (first - sentAt) / 1e9
}

/** Seconds until as many more are ready. Nobody else asks meanwhile: a start needs processor, and so would the load. */
async function startMany(weir: Installation, wanted: number): Promise<number> {
  return timed(async () => {
    await scale(weir, wanted)
    await eventually(`${wanted} replicas are ready`, async () => (await replicasOf(weir)).filter((it) => it.phase === 'ready').length === wanted, 60_000)
  })
}

async function scale(weir: Installation, replicas: number): Promise<void> {
  const { status, body } = await weir.api('PUT', `${HELLO}/services/hello/scale`, { replicas })
  if (status !== 202) throw new Error(`scale answered ${status}: ${JSON.stringify(body)}`)
}

async function replicasOf(weir: Installation): Promise<readonly { readonly phase: string }[]> {
  return (await weir.api<{ replicas: { phase: string }[] }>('GET', HELLO)).body.replicas
}

async function settle(weir: Installation, wanted: number): Promise<void> {
  await scale(weir, wanted)
  await eventually(`${wanted} left`, async () => (await replicasOf(weir)).length === wanted, 60_000)
}
