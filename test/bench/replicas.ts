/** D4: from the request for one more replica to the first answer that it gives, and how many a second start side by side. */
import { setTimeout as pause } from 'node:timers/promises'
import { eventually, type Installation } from '../e2e/installation.ts'
import { HELLO, withHello } from './deployed.ts'
import type { Figure, Goal } from './goal.ts'
import type { Sightings } from './load/hammer.ts'
import { LoadProcess, nanoseconds } from './load/process.ts'
import { atLeast, atMost, median, percentile, spread } from './measured.ts'

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
    for (let ladder = 0; ladder < ladders; ladder++) {
      for (let wanted = 2; wanted <= LADDER; wanted++) single.push(...(await starts(weir, url, wanted, 1)))
      await settle(weir, 1)
    }
    const rates: number[] = []
    for (let wave = 0; wave < waves; wave++) {
      rates.push(MANY / Math.max(...(await starts(weir, url, MANY + 1, MANY))))
      await settle(weir, 1)
    }
    return [
      atMost(1, 's', percentile(single, 0.95), `p95, request to scale sent → its first answer through the gateway: ${spread(single, 's')}`),
      atLeast(
        10,
        '/s',
        median(rates),
        `${MANY} starts at once until the last one answers through the gateway, each of ${waves}: ${rates.map((it) => it.toFixed(1)).join(', ')}`,
      ),
    ]
  })
}

/** Seconds until each of the new replicas answered for the first time. */
async function starts(weir: Installation, url: string, wanted: number, fresh: number): Promise<number[]> {
  const hammer = new LoadProcess<Sightings>('hammer.ts', url, 4, 5)
  try {
    await eventually('all that are there answer', async () => Object.keys((await hammer.ask()).replicas).length === wanted - fresh)
    const sentAt = nanoseconds()
    await scale(weir, wanted)
    const seen = await eventually(
      `${wanted} replicas answer`,
      async () => {
        await pause(fresh === 1 ? 0 : 200)
        const { replicas, failures } = await hammer.ask()
        if (failures.length > 0) throw new Error(failures.join('; '))
        return Object.keys(replicas).length >= wanted ? replicas : null
      },
      60_000,
    )
    return Object.values(seen)
      .filter(({ first }) => first > sentAt)
      .map(({ first }) => (first - sentAt) / 1e9)
  } finally {
    await hammer.end()
  }
}

async function scale(weir: Installation, replicas: number): Promise<void> {
  const { status, body } = await weir.api('PUT', `${HELLO}/services/hello/scale`, { replicas })
  if (status !== 202) throw new Error(`scale answered ${status}: ${JSON.stringify(body)}`)
}

async function settle(weir: Installation, wanted: number): Promise<void> {
  await scale(weir, wanted)
  await eventually(`${wanted} left`, async () => (await weir.api<{ replicas: unknown[] }>('GET', HELLO)).body.replicas.length === wanted, 60_000)
}
