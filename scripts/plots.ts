/**
 * The figures of docs/concepts, each drawn from one run of a real installation: `npm run plots`. Weir is started in a folder of its own and
 * leaves nothing behind.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, type Installation, installation } from '../test/e2e/installation.ts'
import { LiveScenarios } from '../test/scenarios/live.ts'
import { type Scenario, scenarios } from '../test/scenarios/scenario.ts'
import { canaryPlot, type Step } from './plots/canary-plot.ts'
import { judgedPlot } from './plots/judged-plot.ts'
import { rollbackPlot } from './plots/rollback-plot.ts'

const OUT = join(import.meta.dirname, '../docs/concepts')
const STEPS = [5, 25, 50]
const REQUESTS_A_STEP = 2000
const BUCKET_MS = 50
const ASK_EVERY_MS = 5
/** Traffic before the release that is judged. */
const WARM_MS = 15_000

interface Seen {
  readonly atMs: number
  readonly release: string
  readonly track: string
}

const agent = new Agent({ keepAlive: true, maxSockets: 8 })
const weir = await installation()
try {
  mkdirSync(OUT, { recursive: true })
  writeFileSync(join(OUT, 'canary.svg'), canaryPlot(await canaryRun(weir), REQUESTS_A_STEP))
  writeFileSync(join(OUT, 'rollback.svg'), rollbackPlot(await rollbackRun(weir), BUCKET_MS))
  writeFileSync(join(OUT, 'judged.svg'), judgedPlot(await judgedRuns(weir)))
} catch (error) {
  console.error(error)
  process.exitCode = 1
}
agent.destroy()
await weir.remove()

/** The share of requests that the new release answered, at each step and after the promotion. */
async function canaryRun(on: Installation): Promise<Step[]> {
  const cwd = on.example('hello', 'canary')
  const manifest = (greeting: string) => `version: 1
app: canary
services:
  hello:
    build: .
    command: ["node", "server.js"]
    ports: { http: 8080 }
    healthcheck: { http: /healthz }
    environment: { GREETING: ${greeting} }
    release: { strategy: canary, analysis: off, steps: [${STEPS.map((it) => `${it}%`).join(', ')}] }
`
  writeFileSync(join(cwd, 'weir.yaml'), manifest('one'))
  await succeeds(on, ['up'], cwd)
  writeFileSync(join(cwd, 'weir.yaml'), manifest('two'))
  await succeeds(on, ['deploy'], cwd)
  const url = await urlOf(on, 'canary')
  const steps: Step[] = []
  for (const [index, weight] of STEPS.entries()) {
    await eventually(`the weight is ${weight} %`, async () => (await environment(on, 'canary')).rollout?.weight === weight)
    steps.push({ label: `${weight} %`, wanted: weight / 100, measured: await shareOfCanary(url) })
    await succeeds(on, ['canary', 'resume'], cwd)
    if (index === STEPS.length - 1) await eventually('the new release serves alone', async () => (await environment(on, 'canary')).rollout === null)
  }
  steps.push({ label: 'promoted', wanted: 1, measured: await shareOfRelease(url, 'v2') })
  return steps
}

/** Which release answered when; at 0 somebody asked for the rollback. */
async function rollbackRun(on: Installation): Promise<{ readonly seen: readonly Seen[]; readonly failed: number }> {
  const cwd = on.example('hello', 'hello')
  await succeeds(on, ['deploy'], cwd)
  await succeeds(on, ['env', 'set', 'GREETING=two'], cwd)
  await succeeds(on, ['env', 'apply'], cwd)
  const url = await urlOf(on, 'hello')
  const seen: Seen[] = []
  let failed = 0
  let running = true
  const asking = (async () => {
    while (running) {
      const atMs = performance.now()
      void ask(url).then(
        (answer) => seen.push({ ...answer, atMs }),
        () => failed++,
      )
      await sleep(ASK_EVERY_MS)
    }
  })()
  await sleep(1000)
  const zero = performance.now()
  const { status } = await on.api('POST', '/api/v1/apps/hello/environments/production/rollback', {})
  if (status !== 202) throw new Error(`the rollback was answered with ${status}`)
  await sleep(1500)
  running = false
  await asking
  await sleep(200)
  return { seen: seen.map((it) => ({ ...it, atMs: it.atMs - zero })), failed }
}

/** A release that fails one of twenty requests, and one without a fault. */
async function judgedRuns(on: Installation) {
  const live = new LiveScenarios(on, { warmMs: WARM_MS })
  const [broken, good] = ['five-percent-errors', 'good'].map((name) => {
    const found = scenarios().find((it) => it.name === name)
    if (found === undefined) throw new Error(`no test/scenarios/${name}.yaml`)
    return found
  }) as [Scenario, Scenario]
  return { broken: await live.run(broken, 'request'), good: await live.run({ ...good, canary: broken.canary }, 'request') }
}

async function shareOfCanary(url: string): Promise<number> {
  let canary = 0
  for (let n = 0; n < REQUESTS_A_STEP; n++) if ((await ask(url)).track === 'canary') canary++
  return canary / REQUESTS_A_STEP
}

async function shareOfRelease(url: string, release: string): Promise<number> {
  let own = 0
  for (let n = 0; n < REQUESTS_A_STEP; n++) if ((await ask(url)).release === release) own++
  return own / REQUESTS_A_STEP
}

function ask(url: string): Promise<{ readonly release: string; readonly track: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, timeout: 5000 }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`${response.statusCode}`))
        const { release, track } = JSON.parse(body) as { release: string; track: string | null }
        resolve({ release, track: track ?? 'stable' })
      })
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}

interface Shown {
  readonly urls: readonly string[]
  readonly rollout: { readonly weight: number } | null
}

async function environment(on: Installation, app: string): Promise<Shown> {
  return (await on.api<Shown>('GET', `/api/v1/apps/${app}/environments/production`)).body
}

async function urlOf(on: Installation, app: string): Promise<string> {
  const [url] = (await environment(on, app)).urls
  if (url === undefined) throw new Error(`${app} has no address`)
  return url
}

async function succeeds(on: Installation, args: readonly string[], cwd: string): Promise<void> {
  const { code, stderr } = await on.weir(args, { cwd })
  if (code !== 0) throw new Error(`weir ${args.join(' ')} ended with ${code}: ${stderr}`)
}
