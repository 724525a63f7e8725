import type { AppGraph, Service } from '../../src/core/model/app-graph.ts'
import type { KnownRelease } from '../../src/core/rollout/begin.ts'
import { graph, release, service } from '../../src/core/testing.ts'
import type { SeededRandom } from './clock.ts'

/** An app as somebody might have it: a chain or a fan of services, sometimes a worker, a volume, migrations, a canary. */
export function randomGraph(random: SeededRandom): AppGraph {
  const count = 2 + random.below(4)
  const names = ['db-proxy', 'users', 'songs', 'cart', 'web', 'mailer'].slice(0, count)
  const canary = random.next() < 0.5
  const services: Service[] = names.map((name, i) => {
    const callees = names.slice(0, i).filter(() => random.next() < 0.5)
    const stateful = i === 0 && random.next() < 0.3
    const preStart = random.next() < 0.3 ? [{ name: 'migrate', command: ['migrate', name], compatible: canary || random.next() < 0.7, timeoutMs: 60_000 }] : []
    return service(name, {
      dependsOn: Object.fromEntries(callees.map((callee) => [callee, { condition: 'healthy' as const }])),
      calls: callees,
      scale: { min: 1 + random.below(3), max: 10 },
      preStart,
      volumes: stateful ? [{ resource: 'data', path: '/data' }] : [],
      uses: stateful ? ['data'] : [],
      release: {
        strategy: canary && !stateful ? 'canary' : 'rolling',
        steps: canary ? [{ weight: 5 }, { weight: 50 }] : [],
        split: null,
        keepMs: random.pick([0, 30_000, 300_000]),
      },
      routes: i === count - 1 ? [{ host: null, path: '/', port: 'http' }] : [],
    })
  })
  if (random.next() < 0.3)
    services.push(service('worker', { ports: {}, healthcheck: { kind: 'none', intervalMs: 1000, timeoutMs: 1000, retries: 3, startPeriodMs: 10_000 } }))
  const stateful = services.some((it) => it.volumes.length > 0)
  return graph(services, stateful ? { resources: { data: { kind: 'volume', name: 'data' } } } : {})
}

/** The next release of the app: some services get new code. */
export function nextRelease(of: AppGraph, number: number, random: SeededRandom, code: Record<string, string>): KnownRelease {
  for (const name of Object.keys(of.services)) if (number === 1 || random.next() < 0.4) code[name] = `${name}-${number}`
  return release(number, of, code)
}
