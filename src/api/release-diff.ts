import type { ReleaseDiff } from '../../packages/client/src/types.ts'
import type { AppGraph } from '../core/model/app-graph.ts'
import type { Release } from '../core/model/release.ts'
import { changesBetween } from '../core/plan/changes.ts'
import { WeirError } from '../errors.ts'
import type { ReleaseDetail } from '../store/queries.ts'

type Change = { what: string; from: string | null; to: string | null }

/** What differs between two releases whose graphs are known. */
export function diffOf(from: ReleaseDetail, to: ReleaseDetail): ReleaseDiff {
  const a = withGraph(from)
  const b = withGraph(to)
  return {
    from: from.number,
    to: to.number,
    services: changesBetween(a, b).map(({ service, kind, reasons }) => ({
      name: service,
      change: kind,
      reasons: [...reasons],
      changes: kind === 'changed' ? fieldChanges(a.graph.services[service], b.graph.services[service]) : [],
    })),
    resources: namedChanges(a.graph, b.graph, 'resources'),
    jobs: namedChanges(a.graph, b.graph, 'jobs'),
    configuration: [
      ...fieldChanges(flat(a.configuration.environment), flat(b.configuration.environment)),
      ...fieldChanges(versions(a.configuration.secrets), versions(b.configuration.secrets)),
    ],
  }
}

function withGraph(release: ReleaseDetail): Release {
  if (!release.graph)
    throw new WeirError('E_CONFLICT', {
      message: `v${release.number} cannot be compared`,
      cause: `it is ${release.status}: what it is made of is not known`,
      next: `weir releases show v${release.number}`,
    })
  return { ...release, graph: release.graph }
}

function fieldChanges(before: object | undefined, after: object | undefined): Change[] {
  const a = { ...before } as Record<string, unknown>
  const b = { ...after } as Record<string, unknown>
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()
  return keys.map((what) => ({ what, from: textOf(a[what]), to: textOf(b[what]) })).filter(({ from, to }) => from !== to)
}

function textOf(value: unknown): string | null {
  if (value === undefined) return null
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function namedChanges(a: AppGraph, b: AppGraph, part: 'resources' | 'jobs'): { name: string; change: 'added' | 'changed' | 'removed' }[] {
  return fieldChanges(a[part], b[part]).map(({ what, from, to }) => ({ name: what, change: from === null ? 'added' : to === null ? 'removed' : 'changed' }))
}

function flat(variables: Release['configuration']['environment']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([service, values]) => Object.entries(values).map(([key, value]) => [`${service}: ${key}`, value])),
  )
}

function versions(secrets: Release['configuration']['secrets']): Record<string, string> {
  return Object.fromEntries(Object.entries(secrets).map(([name, version]) => [`secret ${name}`, `version ${version}`]))
}
