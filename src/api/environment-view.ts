import type { Environment, ReplicaView, ServiceView } from '../../packages/client/src/types.ts'
import { type AppGraph, isWorker, type Service } from '../core/model/app-graph.ts'
import type { ObservedReplica } from '../core/model/replica.ts'
import type { EnvironmentDetail } from '../store/queries.ts'
import { ownUrl, routeUrl } from './addresses.ts'
import { summaryView } from './apps.ts'
import type { ApiOptions } from './options.ts'
import type { Live } from './ports.ts'
import { runningRollout } from './rollout-view.ts'

type Observed = Awaited<ReturnType<Live['observe']>>

/** What is wanted (the state) and what was seen (the driver, the gateway) as one page; an Error: nothing could be seen. */
export function environmentView(detail: EnvironmentDetail, observed: Observed | Error, options: ApiOptions): Environment {
  const { state, graph } = detail
  const seen: Observed = observed instanceof Error ? { replicas: [], resources: [], refused: [] } : observed
  const replicas = replicaViews(detail, seen.replicas)
  const { rollout: _, ...summary } = summaryView(detail, options)
  const services = Object.values(graph?.services ?? {}).map((service) => serviceView(graph as AppGraph, service, detail, replicas, options))
  return {
    ...summary,
    app: detail.app,
    createdAt: detail.createdAt,
    services,
    replicas,
    resources: Object.values(graph?.resources ?? {}).map(({ name, kind }) => {
      const found = seen.resources.find((it) => it.name === name)
      return { name, kind, phase: found?.phase ?? 'planned', cause: found?.cause ?? null }
    }),
    rollout: state.rollout ? runningRollout(state.rollout, detail.rollout?.weight ?? 0, detail.updatedAt) : null,
    waiting: state.waiting.map(({ target, kind, by }) => ({ target, kind, by })),
    warm: state.warm?.release ?? null,
    problems: problemsOf(detail, services, seen, observed),
  }
}

/** All that are wanted or seen, by service and age. */
function replicaViews({ state, origins }: EnvironmentDetail, observed: readonly ObservedReplica[]): ReplicaView[] {
  const seen = new Map(observed.map((it) => [it.id, it]))
  return Object.entries(state.replicas)
    .map(([id, record]): ReplicaView => {
      const it = seen.get(id)
      return {
        id,
        service: record.service,
        origin: record.origin,
        phase: it?.phase ?? 'planned',
        address: it?.address ?? null,
        ports: { ...it?.ports },
        restarts: it?.restarts ?? 0,
        cause: it?.cause ?? record.died?.cause ?? null,
        lastLines: [...(it?.lastLines ?? [])],
        retired: record.retired !== null,
        warm: record.retired === null && state.warm !== null && record.origin !== origins?.[record.service] && record.origin !== state.rollout?.target,
      }
    })
    .sort((a, b) => (a.service < b.service ? -1 : a.service > b.service ? 1 : a.id.localeCompare(b.id, 'en', { numeric: true })))
}

/**
 * | stopped | ready ≥ wanted | any starts | status   |
 * |---------|----------------|------------|----------|
 * | yes     |                |            | stopped  |
 * | no      | yes            |            | running  |
 * | no      | no             | yes        | starting |
 * | no      | no             | no         | degraded |
 */
function serviceView(graph: AppGraph, service: Service, detail: EnvironmentDetail, replicas: readonly ReplicaView[], options: ApiOptions): ServiceView {
  const { state } = detail
  const origin = detail.origins?.[service.name] ?? null
  const own = replicas.filter((it) => it.service === service.name && it.origin === origin && !it.retired)
  const stopped = state.stopped.includes('*') || state.stopped.includes(service.name)
  const wish = state.wishes[service.name]
  const wanted = stopped ? 0 : (wish ?? service.scale.min)
  const ready = own.filter((it) => it.phase === 'ready').length
  const starting = own.some((it) => it.phase === 'starting' || it.phase === 'planned')
  const isEntry = graph.entry?.service === service.name
  return {
    name: service.name,
    kind: service.routes.length > 0 || isEntry ? 'web' : isWorker(graph, service.name) ? 'worker' : 'internal',
    status: stopped ? 'stopped' : ready >= wanted ? 'running' : starting ? 'starting' : 'degraded',
    cause: stopped || ready >= wanted ? null : (own.find((it) => it.cause !== null)?.cause ?? null),
    origin,
    wanted,
    ready,
    scaledBy: wish === undefined ? 'manifest' : 'hand',
    strategy: service.release.strategy,
    urls: isEntry ? [ownUrl(detail.port, options.gateway)] : service.routes.map((route) => routeUrl(route, options.gateway)),
    dependsOn: Object.keys(service.dependsOn),
  }
}

function problemsOf(detail: EnvironmentDetail, services: readonly ServiceView[], seen: Observed, observed: Observed | Error): string[] {
  return [
    ...(detail.trouble ? [`stuck, and tried again: ${detail.trouble.text}`] : []),
    ...detail.unbuilt.map(({ number, because }) => `v${number} is not built yet, and tried again: ${because.text}`),
    ...(observed instanceof Error ? [`what runs now is not known: ${observed.message}`] : []),
    ...seen.refused.map(({ listener, cause }) => `${listener}: ${cause}`),
    ...Object.entries(detail.state.replicas).flatMap(([id, { service, retired, died }]) =>
      died && !retired ? [`${service}: ${id} has died ${died.count === 1 ? 'once' : `${died.count} times`}, last: ${died.cause}`] : [],
    ),
    ...services.flatMap(({ name, cause }) => (cause === null ? [] : [`${name}: ${cause}`])),
    ...seen.resources.flatMap(({ name, cause }) => (cause === null ? [] : [`${name}: ${cause}`])),
  ]
}
