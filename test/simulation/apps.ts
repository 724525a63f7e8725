import { STANDARD_ANALYSIS } from '../../src/core/canary/analysis.ts'
import type { AppGraph, ReleasePolicy, Service } from '../../src/core/model/app-graph.ts'
import type { KnownRelease } from '../../src/core/rollout/begin.ts'
import { graph, release, service } from '../../src/core/testing.ts'
import type { SeededRandom } from './clock.ts'

/** An app as somebody might have it: a chain or a fan of services, sometimes a worker, a volume, migrations, a canary. */
export function randomGraph(random: SeededRandom, policies: SeededRandom | null, { isUsed = false } = {}): AppGraph {
  const count = 2 + random.below(4)
  const names = ['db-proxy', 'users', 'songs', 'cart', 'web', 'mailer'].slice(0, count)
  const canary = random.next() < 0.5 || isUsed
  const careful = canary && policies ? carefulPolicy(policies, isUsed) : null
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
        ...(stateful ? {} : careful),
      },
      routes: i === count - 1 ? [{ host: null, path: '/', port: 'http' }] : [],
    })
  })
  if (random.next() < 0.3)
    services.push(service('worker', { ports: {}, healthcheck: { kind: 'none', intervalMs: 1000, timeoutMs: 1000, retries: 3, startPeriodMs: 10_000 } }))
  const stateful = services.some((it) => it.volumes.length > 0)
  return graph(services, stateful ? { resources: { data: { kind: 'volume', name: 'data' } } } : {})
}

/** A release that is judged, or checked, with short times, so that they pass while things go wrong. */
function carefulPolicy(policies: SeededRandom, isUsed: boolean): Partial<ReleasePolicy> {
  const onInconclusive = policies.pick([{ kind: 'hold' }, { kind: 'widen' }, { kind: 'rollback' }] as const)
  const analysis = STANDARD_ANALYSIS
  const steps = [
    { weight: 5, atMostMs: 20_000 },
    { weight: 25, atLeastMs: 5_000, atMostMs: 20_000 },
    policies.next() < 0.3 ? { weight: 50, approve: true } : { weight: 50 },
  ]
  if (isUsed) return { strategy: 'canary', steps: [{ weight: 50, atMostMs: 120_000 }], analysis, onInconclusive }
  switch (policies.below(3)) {
    case 0:
      return { strategy: 'canary', steps, analysis, onInconclusive }
    case 1:
      return { strategy: 'blue-green', steps: [], checks: { before: [], after: { forMs: policies.pick([0, 15_000]), errors: 0.05 } } }
    default: {
      const then = policies.pick(['canary', 'promote', 'stop'] as const)
      const shadow = { share: 0.1, methods: ['GET'], diff: false, atMostMs: 20_000, then }
      return { strategy: 'shadow', steps: then === 'canary' ? steps : [], analysis, onInconclusive, shadow }
    }
  }
}

/** The next release of the app: some services get new code. */
export function nextRelease(of: AppGraph, number: number, random: SeededRandom, code: Record<string, string>): KnownRelease {
  for (const name of Object.keys(of.services)) if (number === 1 || random.next() < 0.4) code[name] = `${name}-${number}`
  return release(number, of, code)
}
