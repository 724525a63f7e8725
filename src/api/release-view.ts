import type { ReleaseView, ReleaseSummary as SummaryView } from '../../packages/client/src/types.ts'
import type { ObservedBuild } from '../build/builder.ts'
import type { SourceRef } from '../core/model/release.ts'
import type { ReleaseDetail, ReleaseSummary } from '../store/queries.ts'
import { becauseView } from './rollout-view.ts'

export function releaseSummaryView(it: ReleaseSummary, serving: number | null): SummaryView {
  return {
    number: it.number,
    status: it.status,
    because: becauseView(it.because),
    serving: it.number === serving,
    source: {
      kind: it.source.kind,
      label: sourceLabel(it.source),
      commit: it.commit?.commit ?? (it.source.kind === 'git' ? it.source.commit : null),
      ref: it.commit?.ref ?? (it.source.kind === 'git' ? it.source.ref : null),
      subject: it.commit?.subject ?? null,
      author: it.commit?.author ?? null,
    },
    by: it.by,
    followed: it.followed,
    createdAt: it.createdAt,
    readyAt: it.readyAt,
    promotedAt: it.promotedAt,
  }
}

export function releaseView(it: ReleaseDetail, serving: number | null, rollout: string | null, builds: Readonly<Record<string, ObservedBuild>>): ReleaseView {
  const names = new Set([...Object.keys(it.graph?.services ?? {}), ...Object.keys(builds)])
  return {
    ...releaseSummaryView(it, serving),
    rollout,
    services: [...names].sort().map((name) => {
      const artifact = it.artifacts[name]
      const command = it.graph?.services[name]?.command ?? artifact?.command ?? null
      return {
        name,
        origin: it.origins?.[name] ?? null,
        artifact: artifact ? { digest: artifact.digest, bytes: artifact.bytes } : null,
        command: command === null ? null : [...command],
        build: builds[name] ? buildView(builds[name]) : null,
      }
    }),
    variables: plain(it.configuration.environment),
    secrets: { ...it.configuration.secrets },
    notes: [...it.notes],
    manifest: it.manifest,
    graph: it.graph,
  }
}

export function plain(variables: Readonly<Record<string, Readonly<Record<string, string>>>>): Record<string, Record<string, string>> {
  return Object.fromEntries(Object.entries(variables).map(([service, values]) => [service, { ...values }]))
}

/** For people: where it came from, without any credentials that stand in an address. */
function sourceLabel(source: SourceRef): string {
  switch (source.kind) {
    case 'git':
      return source.url.replace(/^(\w+:\/\/)[^/@]*@/, '$1') + (source.path === '.' || source.path === '' ? '' : ` (${source.path})`)
    case 'upload':
      return source.label
    case 'release':
      return source.environment === undefined ? `v${source.number} again` : `v${source.number} of ${source.environment}`
  }
}

function buildView(build: ObservedBuild): NonNullable<ReleaseView['services'][number]['build']> {
  const view = { phase: build.phase, position: null, cached: false, cause: null, lastLines: [] }
  switch (build.phase) {
    case 'queued':
      return { ...view, position: build.position }
    case 'running':
      return { ...view, lastLines: [...build.lastLines] }
    case 'succeeded':
      return { ...view, cached: build.cached }
    case 'failed':
      return { ...view, cause: build.cause, lastLines: [...build.lastLines] }
  }
}
