/**
 * The gateway's part in judging: how long after a verdict the canary still gets requests, and what a split that is judged, with a tenth of
 * all requests copied, costs beside one that is not.
 */
import { Agent } from 'node:http'
import { ask, group, Processes, pause, route, service, startTarget, table } from '../../src/gateway/testing.ts'
import { type Cost, costBeside } from './gateway.ts'
import type { Figure, Goal } from './goal.ts'

const CLIENTS = 8
const JUDGE = { stage: 1, unit: 'request', thresholds: { web: { '/': [5, 10, 20, 50, 100], '/cart/:id': [5, 10, 20, 50, 100] } } } as const
const split = (weight: number) => ({ rollout: 'bench', weight, by: { kind: 'request' }, judge: { ...JUDGE, stage: weight } }) as const

export const goals: readonly Goal[] = [
  { id: 'C2', title: 'verdict → no new request on the canary, at the gateway', run: ({ full }) => measureRestored(full ? 300 : 100) },
  { id: 'C9', title: 'the gateway with a split that is judged and a tenth copied, beside one with neither', run: ({ full }) => measureJudged(full ? 7 : 3) },
]

/** From the call that publishes the restored table to the last request that the canary gets; requests at half the weight all the while, two workers. */
async function measureRestored(rounds: number): Promise<Figure[]> {
  const gateway = await Processes.start({ WEIR_GATEWAY_WORKERS: '2' })
  let last = 0
  let canaries = 0
  const stable = await startTarget((_request, response) => response.end('ok'))
  const canary = await startTarget((_request, response) => {
    last = performance.now()
    canaries++
    response.end('ok')
  })
  const app = (n: number, weight: number) =>
    table('bench', n, [route('bench.test')], { web: service(group(1, { a: stable.port }), { canary: group(2, { b: canary.port }) }) }, { split: split(weight) })
  await gateway.publish(app(1, 0))
  let running = true
  const agent = new Agent({ keepAlive: true })
  const load = Array.from({ length: CLIENTS }, async () => {
    while (running) {
      await ask({ port: gateway.port, headers: { host: 'bench.test' }, agent })
      await pause(2)
    }
  })
  try {
    const taken: number[] = []
    for (let round = 0; round < rounds; round++) {
      await gateway.publish(app(2 * round + 2, 50))
      const before = canaries
      while (canaries < before + 5) await pause(2)
      const verdictAt = performance.now()
      await gateway.publish(app(2 * round + 3, 0))
      await pause(30)
      taken.push(Math.max(0, last - verdictAt))
    }
    taken.sort((a, b) => a - b)
    const at = (share: number) => taken[Math.min(taken.length - 1, Math.floor(taken.length * share))] as number
    const detail = `${rounds} verdicts at ${CLIENTS} clients, two workers: median ${at(0.5).toFixed(1)} ms, worst ${at(1).toFixed(1)} ms`
    return [{ value: at(0.99), unit: 'ms', target: 'p99≤100ms', pass: at(0.99) <= 100, detail }]
  } finally {
    running = false
    await Promise.all(load)
    agent.destroy()
    await gateway.stop()
    stable.close()
    canary.close()
  }
}

async function measureJudged(rounds: number): Promise<Figure[]> {
  const shadow = { rollout: 'bench', share: 10, methods: ['GET'], diff: false, thresholds: JUDGE.thresholds } as const
  const kinds = { plain: { split: { ...split(10), judge: null } }, judged: { split: split(10) }, both: { split: split(10), shadow } }
  const costs = await costBeside(kinds, rounds, 3)
  const [plain, judged, both] = [costs['plain'], costs['judged'], costs['both']] as [Cost, Cost, Cost]
  const more = ({ rate }: Cost) => `${Math.round(rate)} (CPU a request × ${(plain.rate / rate).toFixed(2)})`
  const beside = (which: 'p50' | 'p99') => `${[plain, judged, both].map(({ added }) => added[which].toFixed(2)).join(', ')} ms`
  return [
    {
      value: both.rate,
      unit: '/s',
      target: '≥10000/s',
      pass: both.rate >= 10_000,
      detail: `requests per second of CPU, median of ${rounds}: ${Math.round(plain.rate)} with a split, judged ${more(judged)}, a tenth copied too ${more(both)}`,
    },
    { value: both.added.p50, unit: 'ms', target: '≤0.3ms', pass: both.added.p50 <= 0.3, detail: `added at 2000/s, p50, in that order: ${beside('p50')}` },
    { value: both.added.p99, unit: 'ms', target: '≤3ms', pass: both.added.p99 <= 3, detail: `p99: ${beside('p99')}` },
  ]
}
