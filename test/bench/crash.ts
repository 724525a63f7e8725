import { appendFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RpcClient } from '../../src/rpc/client.ts'
import { crashSite, OPERATIONS } from '../e2e/crash-operations.ts'
import { installation } from '../e2e/installation.ts'
import { traffic } from '../e2e/traffic.ts'
import { simulate } from '../simulation/run.ts'
import type { Figure, Goal } from './goal.ts'

const ROLLOUTS_A_SEED = 5
/** An operation has ended long before so many points. */
const MOST_POINTS = 200

export const goals: readonly Goal[] = [
  {
    id: 'D10',
    title: 'simulated rollouts with a crash and three faults each; real kill -9, time until it is whole again, requests lost',
    run: async ({ full, seed }) => [...(await simulated(full ? 10_000 : 500, seed)), ...(await killed(full ? 20 : 5)), ...(full ? await everyPoint() : [])],
  },
]

async function simulated(rollouts: number, seed: number): Promise<readonly Figure[]> {
  const violations: string[] = []
  let crashes = 0
  for (let i = 0; i < rollouts / ROLLOUTS_A_SEED; i++) {
    const result = await simulate((seed + i) >>> 0, ROLLOUTS_A_SEED)
    crashes += result.crashes
    violations.push(...result.violations.map((it) => `seed ${result.seed}: ${it}`))
  }
  const detail = `invariant violations in ${rollouts} rollouts with ${crashes} crashes ${violations[0] ?? ''}`
  return [{ value: violations.length, target: '=0', unit: '', pass: violations.length === 0, detail }]
}

/** Each process is killed again and again while an app is asked without a pause and deployed over and over. */
async function killed(times: number): Promise<readonly Figure[]> {
  const weir = await installation()
  try {
    const folder = weir.example('hello')
    const up = await weir.weir(['up'], { cwd: folder })
    const url = /http:\/\/127\.0\.0\.1:\d+\//.exec(up.stdout)?.[0]
    if (!url) throw new Error(up.stderr)
    const state = weir.env['WEIR_HOME'] ?? ''
    const runner = new RpcClient(join(state, 'run/runner.sock'))
    const figures: Figure[] = []
    for (const [name, targetMs] of [
      ['server', 2000],
      ['runner', 2000],
      ['gateway', 2000],
      ['store-postgres', 5000],
    ] as const) {
      const load = traffic(url)
      const took: number[] = []
      for (let i = 0; i < times; i++) {
        appendFileSync(join(folder, 'server.js'), `// ${name} ${i}\n`)
        const deploy = weir.weir(['deploy', '--no-wait'], { cwd: folder })
        await sleep(200 + ((i * 137) % 700))
        const began = performance.now()
        process.kill(await pidOf(runner, name), 'SIGKILL')
        await sleep(20)
        while (!(await isWhole(runner, state))) await sleep(10)
        took.push(performance.now() - began)
        await deploy
        await sleep(1_000)
      }
      const { failures, requests } = await load.stop()
      took.sort((a, b) => a - b)
      const p95 = took[Math.ceil(took.length * 0.95) - 1] ?? Number.NaN
      figures.push({
        value: Math.round(p95),
        target: `≤${targetMs}ms`,
        unit: 'ms',
        pass: p95 <= targetMs,
        detail: `p95 until whole after kill -9 of ${name}, ${times} times`,
      })
      figures.push({
        value: failures.length,
        target: '=0',
        unit: '',
        pass: failures.length === 0,
        detail: `failed of ${requests} requests while ${name} was killed ${failures[0] ?? ''}`,
      })
    }
    runner.close()
    return figures
  } finally {
    await weir.remove()
  }
}

/** Each operation again and again, the server killed one point later each time, until the operation has no such point. */
async function everyPoint(): Promise<readonly Figure[]> {
  const site = await crashSite()
  try {
    const figures: Figure[] = []
    for (const operation of OPERATIONS) {
      const load = traffic(site.url)
      let point = 0
      while (point < MOST_POINTS && (await site.killAt(operation, point))) point++
      const { failures, requests } = await load.stop()
      const detail = `failed of ${requests} requests, server killed at each of ${point} points of ${operation} ${failures[0] ?? ''}`
      figures.push({ value: failures.length, target: '=0', unit: '', pass: failures.length === 0 && point > 0, detail })
    }
    return figures
  } finally {
    await site.remove()
  }
}

async function pidOf(runner: RpcClient, name: string): Promise<number> {
  if (name === 'runner') return ((await runner.call('ping', {})) as { pid: number }).pid
  const daemon = ((await runner.call('daemons', {})) as { name: string; pid: number }[]).find((it) => it.name === name)
  if (!daemon) throw new Error(`no ${name}`)
  return daemon.pid
}

/** The runner answers, and the server, with its store behind it. */
async function isWhole(runner: RpcClient, state: string): Promise<boolean> {
  try {
    await runner.call('ping', {})
  } catch {
    return false
  }
  return new Promise((resolve) => {
    const asked = request({ socketPath: join(state, 'run/server/api.sock'), path: '/readyz', timeout: 1_000, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve(false))
    asked.end()
  })
}
