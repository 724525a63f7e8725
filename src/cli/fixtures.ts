import type { Environment, EvidenceView, ReleaseView, ReplicaView, RolloutView, ServiceView } from '../../packages/client/src/types.ts'

/** Views as the server gives them, for tests: each takes what is special about it. */
export const AT = '2026-01-31T12:00:00.000Z'

export function aService(name: string, over: Partial<ServiceView> = {}): ServiceView {
  return {
    name,
    kind: 'web',
    status: 'running',
    cause: null,
    origin: 1,
    wanted: 1,
    ready: 1,
    scaledBy: 'manifest',
    strategy: 'rolling',
    urls: [],
    dependsOn: [],
    ...over,
  }
}

export function aReplica(service: string, origin: number, over: Partial<ReplicaView> = {}): ReplicaView {
  return {
    id: `e1-${service}-v${origin}-1`,
    service,
    origin,
    phase: 'ready',
    address: '127.0.0.1',
    ports: { http: 20_000 },
    restarts: 0,
    cause: null,
    lastLines: [],
    warm: false,
    retired: false,
    ...over,
  }
}

export function anEnvironment(over: Partial<Environment> = {}): Environment {
  return {
    app: 'shop',
    name: 'production',
    status: 'running',
    release: 1,
    newest: { number: 1, status: 'ready' },
    serviceCount: 1,
    replicaCount: 1,
    urls: ['http://127.0.0.1:8100/'],
    updatedAt: AT,
    createdAt: AT,
    services: [aService('web')],
    replicas: [aReplica('web', 1)],
    resources: [],
    rollout: null,
    waiting: [],
    warm: null,
    problems: [],
    ...over,
  }
}

export function aRelease(number: number, over: Partial<ReleaseView> = {}): ReleaseView {
  return {
    number,
    status: 'ready',
    because: null,
    serving: false,
    source: { kind: 'upload', label: 'shop', commit: null, ref: null, subject: null, author: null },
    by: 'local',
    followed: false,
    createdAt: AT,
    readyAt: AT,
    promotedAt: null,
    services: [{ name: 'web', origin: number, artifact: null, command: null, build: null }],
    rollout: null,
    variables: {},
    secrets: {},
    notes: [],
    manifest: null,
    graph: null,
    ...over,
  }
}

export function aRollout(target: number, over: Partial<RolloutView> = {}): RolloutView {
  return {
    id: `r${target}`,
    kind: 'deploy',
    target,
    base: target === 1 ? null : target - 1,
    by: 'local',
    strategy: 'rolling',
    phase: 'starting',
    weight: 0,
    paused: false,
    stages: [[{ service: 'web', manner: 'beside' }]],
    stage: 0,
    step: null,
    waits: null,
    verdict: null,
    outcome: null,
    because: null,
    startedAt: AT,
    endedAt: null,
    ...over,
  }
}

export function anEvidence(over: Partial<EvidenceView> = {}): EvidenceView {
  const test = { name: 'errors web', indicator: 'errors', service: 'web', route: null, canary: 41, total: 52, expected: 5.2, dryRun: false }
  return {
    rollout: 'r5',
    verdict: aVerdict(),
    tests: [{ ...test, logE: 20.8, threshold: 5.8, state: 'fails', text: 'canary 41 of 52 errors, expected 5.2; by chance 1 in 10⁹' }],
    unit: 'request',
    designEffect: 1,
    falseAlarm: 0.01,
    cursor: 7,
    replay: null,
    ...over,
  }
}

export function aVerdict(over: Partial<NonNullable<RolloutView['verdict']>> = {}): NonNullable<RolloutView['verdict']> {
  const counted = { canary: 100, stable: 900, unit: 'requests' } as const
  return { kind: 'fail', text: 'canary 41 of 52 errors, expected 5.2; POST /pay worst', needsS: null, share: 0.1, counted, unproven: ['web /rare'], ...over }
}
