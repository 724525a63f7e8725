/** A scenario on real processes: an app whose next release is broken as the file says, under the load that it names. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Installation } from '../e2e/installation.ts'
import { type Answered, ClientLoad } from './load.ts'
import type { Scenario, Unit } from './scenario.ts'

const APP = join(import.meta.dirname, 'app')
const POLL_MS = 50
const SETTLES_MS = 500
const MOST_S = 180

export interface LiveOutcome {
  /** Of the verdict that ended it; null: none came. */
  readonly decision: 'fail' | 'pass' | null
  /** From the new release's first request to its last before it was taken back, or until it was promoted; infinite: not in the time. */
  readonly seconds: number
  /** Requests meanwhile that failed, and that the old release did not answer. */
  readonly badAnswers: number
  /** As Weir says it. */
  readonly sentence: string
  /** The test with the most evidence of what it needs, look by look, as far as looks are stored. */
  readonly looks: readonly StrongestTest[]
}

export interface StrongestTest {
  /** Since the new release's first request, or shortly before. */
  readonly atMs: number
  /** Natural logarithms. */
  readonly logE: number
  readonly threshold: number
}

interface Evidence {
  readonly tests: readonly { readonly indicator: string; readonly dryRun: boolean; readonly logE: number | null; readonly threshold: number }[]
}

interface Watched {
  readonly target: number | null
  readonly decidedAt: number
  readonly looks: readonly StrongestTest[]
}

interface Rollout {
  readonly id: string
  readonly phase: string
  readonly target: number
  readonly outcome: string | null
  readonly verdict: { readonly kind: 'pass' | 'fail' | 'inconclusive'; readonly text: string } | null
  readonly because: { readonly text: string } | null
}

/** Apps of one installation, one for each way to split and share of errors, so that each has a past of its own. */
export class LiveScenarios {
  readonly #weir: Installation
  readonly #warmMs: number
  readonly #warm = new Set<string>()
  #releases = 0

  /** `warmMs`: traffic on the old release before the first scenario of an app, from which the thresholds of latency come. */
  constructor(weir: Installation, { warmMs }: { readonly warmMs: number }) {
    this.#weir = weir
    this.#warmMs = warmMs
  }

  async run(scenario: Scenario, unit: Unit): Promise<LiveOutcome> {
    const app = `by-${unit}-${Math.round(scenario.load.errors * 1000)}`
    const isNew = !this.#warm.has(app)
    if (isNew) await this.#succeeds(app, scenario, unit)
    this.#warm.add(app)
    const { body } = await this.#weir.api<{ urls: string[] }>('GET', environmentOf(app))
    const [url] = body.urls
    if (url === undefined) throw new Error(`${app} has no address`)
    const load = new ClientLoad(url, scenario.load)
    try {
      await sleep(isNew ? this.#warmMs : SETTLES_MS)
      return await this.#judged(app, scenario, unit, load)
    } finally {
      load.end()
    }
  }

  async #judged(app: string, scenario: Scenario, unit: Unit, load: ClientLoad): Promise<LiveOutcome> {
    load.take()
    const ended = this.#deploy(app, scenario, unit, JSON.stringify(scenario.fault ?? {}))
    const watched = await this.#watch(app)
    await sleep(SETTLES_MS)
    const { stdout, stderr } = await ended
    const { body } = await this.#weir.api<{ items: Rollout[] }>('GET', `${environmentOf(app)}/rollouts`)
    const rollout = body.items.find((it) => it.target === watched.target)
    if (rollout === undefined) throw new Error(`${scenario.name}: no rollout; ${stdout}${stderr}`)
    return outcomeOf(rollout, load.take(), watched)
  }

  /** Until the rollout that comes is over: when it left the split. A judge that cannot decide is ended by a person. */
  async #watch(app: string): Promise<Watched> {
    const begun = performance.now()
    let target: number | null = null
    let decidedAt = Number.POSITIVE_INFINITY
    let wasSplit = false
    let last = ''
    const looks: StrongestTest[] = []
    while (performance.now() - begun < (MOST_S + 60) * 1000) {
      const { rollout } = (await this.#weir.api<{ rollout: Rollout | null }>('GET', `${environmentOf(app)}/rollout`)).body
      target ??= rollout?.target ?? null
      if (rollout?.phase === 'splitting') {
        wasSplit = true
        last = rollout.id
        looks.push(...(await this.#strongest(app, rollout.id, performance.now())))
      } else if (wasSplit && decidedAt === Number.POSITIVE_INFINITY) decidedAt = performance.now()
      if (target !== null && rollout === null) return { target, decidedAt, looks: [...looks, ...(await this.#strongest(app, last, decidedAt))] }
      if (wasSplit && decidedAt === Number.POSITIVE_INFINITY && performance.now() - begun > MOST_S * 1000) {
        await this.#weir.api('POST', `${environmentOf(app)}/rollout/abort`)
      }
      await sleep(POLL_MS)
    }
    return { target, decidedAt, looks }
  }

  async #strongest(app: string, rollout: string, atMs: number): Promise<StrongestTest[]> {
    const { status, body } = await this.#weir.api<Evidence>('GET', `${environmentOf(app)}/rollouts/${rollout}/evidence`)
    const found = status === 200 ? body.tests.find((it) => it.logE !== null && !it.dryRun && it.indicator !== 'routing') : undefined
    if (found === undefined) return []
    return [{ atMs, logE: found.logE ?? 0, threshold: found.threshold }]
  }

  async #succeeds(app: string, scenario: Scenario, unit: Unit): Promise<void> {
    const { code, stdout, stderr } = await this.#deploy(app, scenario, unit, '{}')
    if (code !== 0) throw new Error(`${app} does not go live: ${stdout}${stderr}`)
  }

  #deploy(app: string, { load, canary }: Scenario, unit: Unit, fault: string) {
    const split = unit === 'request' ? 'by: request' : 'header: x-client'
    const manifest = `version: 1
app: ${app}
services:
  web:
    build: code
    command: ["node", "web.js"]
    ports: { http: 8080 }
    healthcheck: { http: /healthz }
    depends_on: { stock: { condition: service_healthy } }
    resources: { cpu: 0.5, memory: 256MiB }
    environment: { STOCK_URL: "\${services.stock.url}", ERRORS: "${load.errors}", RELEASE: "${++this.#releases}", FAULT: '${fault}' }
    release: { strategy: canary, steps: [${canary.weight * 100}%], split: { ${split} }, keep: 1s }
  stock:
    build: code
    command: ["node", "stock.js"]
    ports: { http: 8080 }
`
    const cwd = this.#weir.write(app, { 'weir.yaml': manifest })
    cpSync(APP, join(cwd, 'code'), { recursive: true })
    return this.#weir.weir(['deploy', '--json'], { cwd, timeoutMs: (MOST_S + 120) * 1000 })
  }
}

function outcomeOf({ target, outcome, verdict, because }: Rollout, answered: readonly Answered[], { decidedAt, looks }: Watched): LiveOutcome {
  const own = answered.filter(({ release }) => release === `v${target}`)
  const firstAt = Math.min(...own.map((it) => it.sentAt))
  const lastAt = Math.max(...own.map((it) => it.sentAt))
  const decision = outcome === 'promoted' ? 'pass' : verdict?.kind === 'fail' ? 'fail' : null
  const overAt = decision === 'pass' ? decidedAt : Math.max(decidedAt, lastAt)
  const stable = new Set(answered.filter((it) => it.sentAt < firstAt).map((it) => it.release))
  stable.delete(null)
  const bad = answered.filter((it) => it.sentAt >= firstAt && it.sentAt <= overAt && (it.status === 0 || it.status >= 500) && !stable.has(it.release))
  const seconds = decision === null ? Number.POSITIVE_INFINITY : (overAt - firstAt) / 1000
  return {
    decision,
    seconds,
    badAnswers: bad.length,
    sentence: verdict?.text ?? because?.text ?? 'nothing was said',
    looks: looks.map((it) => ({ ...it, atMs: it.atMs - firstAt })),
  }
}

function environmentOf(app: string): string {
  return `/api/v1/apps/${app}/environments/production`
}
