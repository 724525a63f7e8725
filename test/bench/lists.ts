/** D7: lists and details of an installation with a thousand apps, at a steady rate, while its controllers look after them. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Database } from '../../src/store/database.ts'
import type { Installation } from '../e2e/installation.ts'
import { withInstallation } from './deployed.ts'
import type { Figure, Goal } from './goal.ts'
import { atMost, percentile, spread } from './measured.ts'
import { seedApps } from './store.ts'

const APPS = 1_000
const RATE = 50
/** The server finds the apps, sees that nothing of them runs, and comes to rest. */
const SETTLE_MS = 60_000

export const goals: readonly Goal[] = [
  { id: 'D7', title: `lists and details with ${APPS} apps stored`, run: ({ full, seed }) => measure(full ? 120 : 15, seed) },
]

async function measure(seconds: number, seed: number): Promise<Figure[]> {
  return withInstallation(async (weir) => {
    await weir.json(['up', '--no-deploy'])
    await seedStore(weir)
    await pause(SETTLE_MS)
    const paths = pathsOf(seed)
    const took = new Map<string, number[]>()
    const agent = new Agent({ keepAlive: true, maxSockets: 8 })
    const begun = performance.now()
    const sent: Promise<void>[] = []
    for (let n = 0; n < RATE * seconds; n++) {
      // On a fixed schedule: a slow answer does not hold back the next request.
      await pause(Math.max(0, begun + (n * 1000) / RATE - performance.now()))
      const { kind, path } = paths(n)
      sent.push(timedRead(weir, agent, path).then((ms) => void (took.get(kind)?.push(ms) ?? took.set(kind, [ms]))))
    }
    await Promise.all(sent)
    agent.destroy()
    const all = [...took.values()].flat()
    const kinds = [...took].map(([kind, ms]) => `${kind} ${percentile(ms, 0.99).toFixed(0)}`)
    return [atMost(50, 'ms', percentile(all, 0.99), `p99 at ${RATE}/s: ${spread(all, 'ms')}; p99 of each: ${kinds.join(', ')}`)]
  })
}

/** Straight into the store, as if they had been there for months: apps that were stopped, so that none of their processes starts. */
async function seedStore(weir: Installation): Promise<void> {
  const home = weir.env['WEIR_HOME'] ?? ''
  const password = readFileSync(join(home, 'store.password'), 'utf8')
  const database = new Database({ socketDir: join(home, 'run/pg'), port: 5432, user: 'weir', database: 'weir', password })
  try {
    await seedApps(database, { tenant: 'default', apps: APPS, releases: 10, events: 20, stopped: true })
  } finally {
    await database.close()
  }
}

/** A reader's mix; which app comes from the seed. */
function pathsOf(seed: number): (n: number) => { readonly kind: string; readonly path: string } {
  let state = seed >>> 0
  const appAt = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return `app${String(1 + (state % APPS)).padStart(4, '0')}`
  }
  const kinds: readonly (readonly [string, () => string])[] = [
    ['apps', () => '/apps?limit=100'],
    ['app', () => `/apps/${appAt()}`],
    ['environment', () => `/apps/${appAt()}/environments/production`],
    ['releases', () => `/apps/${appAt()}/environments/production/releases`],
    ['release', () => `/apps/${appAt()}/environments/production/releases/7`],
    ['rollouts', () => `/apps/${appAt()}/environments/production/rollouts`],
    ['events', () => `/events?app=${appAt()}`],
  ]
  return (n) => {
    const [kind, path] = kinds[n % kinds.length] as (typeof kinds)[number]
    return { kind, path: `/api/v1${path()}` }
  }
}

function timedRead(weir: Installation, agent: Agent, path: string): Promise<number> {
  const begun = performance.now()
  return new Promise((resolve, reject) => {
    const socketPath = join(weir.env['WEIR_HOME'] ?? '', 'run/server/api.sock')
    const sent = request({ socketPath, path, agent, headers: { 'x-request-id': randomBytes(8).toString('hex') } }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () =>
        response.statusCode === 200 ? resolve(performance.now() - begun) : reject(new Error(`${path}: ${response.statusCode} ${body}`)),
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}
