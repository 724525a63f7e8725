/** D9: how long a plan takes, from two releases as the store has them, and from two manifests as a team writes them. */
import { graphFor, readManifest } from '../../src/core/manifest/manifest.ts'
import type { AppGraph } from '../../src/core/model/app-graph.ts'
import { textDigest } from '../../src/core/model/digest.ts'
import type { Artifact, Release } from '../../src/core/model/release.ts'
import { replicaInputs } from '../../src/core/plan/fingerprint.ts'
import { planFor } from '../../src/core/plan/plan.ts'
import type { Figure, Goal } from './goal.ts'
import { atMost, median, spread } from './measured.ts'

const SIZES = [
  { services: 50, mostMs: 20 },
  { services: 1000, mostMs: 500 },
] as const
/** A service of a layer needs the ones beside it in the layer below. */
const LAYER = 10

export const goals: readonly Goal[] = [
  { id: 'D9', title: 'plan of 50 and of 1,000 services', run: async ({ full }) => SIZES.flatMap((size) => measure(size, full ? 51 : 11)) },
]

function measure({ services, mostMs }: (typeof SIZES)[number], rounds: number): Figure[] {
  const text = manifest(services)
  const graph = graphOf(text)
  const base = release(1, graph, () => 'a')
  const target = release(2, graph, (service) => (Number(service.slice(1)) % 10 === 0 ? 'b' : 'a'))
  const planning = repeat(rounds, () => {
    const { changes } = planFor(base, target)
    if (changes.length !== services / 10) throw new Error(`${changes.length} changes`)
  })
  const reading = repeat(rounds, () =>
    planFor(
      release(1, graph, () => 'a'),
      release(2, graphOf(text), () => 'b'),
    ),
  )
  return [
    atMost(mostMs, 'ms', median(planning), `planFor, ${services} services, every tenth changed: ${spread(planning, 'ms')}`),
    atMost(mostMs, 'ms', median(reading), `with the manifest of ${services} services read and checked: ${spread(reading, 'ms')}`),
  ]
}

function repeat(rounds: number, work: () => void): number[] {
  return Array.from({ length: rounds }, () => {
    const begun = performance.now()
    work()
    return performance.now() - begun
  })
}

function manifest(services: number): string {
  const names = Array.from({ length: services }, (_, at) => `s${at}`)
  const below = (at: number) => [at - LAYER, at - LAYER - 1, at - LAYER - 2].filter((it) => it >= 0).map((it) => `s${it}`)
  return [
    'version: 1',
    'app: large',
    'services:',
    ...names.flatMap((name, at) => [
      `  ${name}:`,
      `    build: ${name}`,
      '    command: ["node", "server.js"]',
      '    ports: { http: 8080 }',
      '    healthcheck: { http: /healthz }',
      `    depends_on: [${below(at).join(', ')}]`,
      ...below(at).map((it, n) =>
        n === 0 ? `    environment:\n      URL_${it.toUpperCase()}: "\${services.${it}.url}"` : `      URL_${it.toUpperCase()}: "\${services.${it}.url}"`,
      ),
      ...(at === services - 1 ? [`    routes: [{ host: large.example.com }]`] : []),
    ]),
  ].join('\n')
}

function graphOf(text: string): AppGraph {
  const read = readManifest({ files: new Map([['weir.yaml', new TextEncoder().encode(text)]]), listing: ['weir.yaml'], name: 'large' })
  if (!read.ok) throw new Error(JSON.stringify(read.problems.slice(0, 3)))
  return graphFor(read.manifest, 'production')
}

function release(number: number, graph: AppGraph, codeOf: (service: string) => string): Release {
  const configuration = { environment: {}, secrets: {} }
  const artifacts: Record<string, Artifact> = {}
  const fingerprints: Record<string, string> = {}
  for (const service of Object.values(graph.services)) {
    const code = codeOf(service.name)
    const artifact: Artifact = { kind: 'slug', digest: `sha256:${code}`, key: code, bytes: 1, command: null, runtime: null }
    artifacts[service.name] = artifact
    fingerprints[service.name] = textDigest(replicaInputs(graph, service, artifact, configuration))
  }
  return { number, graph, artifacts, configuration, source: { kind: 'upload', digest: 'sha256:0', label: 'large' }, fingerprints }
}
