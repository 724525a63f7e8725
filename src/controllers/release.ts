import { createHash } from 'node:crypto'
import type { AppGraph } from '../core/model/app-graph.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Artifact, Release } from '../core/model/release.ts'
import { replicaInputs } from '../core/plan/fingerprint.ts'
import type { Because } from '../core/rollout/state.ts'
import { isWeirError, WeirError } from '../errors.ts'
import { buildsOf, type DraftPorts, draft } from './draft.ts'
import type { Journal, NewEvent, ReleaseKey, ReleaseRecord } from './journal.ts'

export interface ReleasePorts extends DraftPorts {
  readonly journal: Journal
  readonly epoch: () => Epoch
}

/** A build is observed, not waited for; its own hints wake us earlier. */
const BUILD_POLL_MS = 1_000

/**
 * A release from "acknowledged" to "ready" or "failed": source at a commit → app graph → artifacts by digest → fingerprints.
 * Nothing that runs is touched; with `ready` the journal stores the deploy command in the same transaction.
 */
export async function reconcileRelease(ports: ReleasePorts, key: ReleaseKey): Promise<number | null> {
  const record = await ports.journal.loadRelease(key)
  if (!record || record.status === 'ready' || record.status === 'failed') return null
  try {
    const wakeInMs = record.source.kind === 'release' ? await repeat(ports, record) : await build(ports, record)
    if (record.trouble && wakeInMs !== null) await ports.journal.commitRelease(ports.epoch(), key, { status: 'building', events: [] })
    return wakeInMs
  } catch (error) {
    if (!isFinal(error)) throw error
    await fail(ports, record, error)
    return null
  }
}

async function build(ports: ReleasePorts, record: ReleaseRecord): Promise<number | null> {
  if (record.source.kind === 'release') return null
  const { journal, builder } = ports
  // A branch or tag is pinned to its commit before anything is built of it: a restart goes on with the same one.
  const source = record.source.kind === 'git' && record.commit !== null ? { ...record.source, commit: record.commit } : record.source
  const { tenant, app, environment, manifest } = record
  const drafted = await draft(ports, { tenant, app, environment, source, manifest })
  const { graph, tree, notes } = drafted
  if (record.status === 'queued') {
    const ref = record.source.kind === 'git' ? record.source.ref : null
    await journal.commitRelease(ports.epoch(), record.key, {
      status: 'building',
      graph,
      notes,
      ...(tree.commit === null ? {} : { commit: { commit: tree.commit, ref, subject: tree.summary?.subject ?? '', author: tree.summary?.author ?? '' } }),
      events: [event(record, 'release.building', `v${record.key.number}: ${tree.summary?.subject ?? 'building'}`)],
    })
  }

  const artifacts: Record<string, Artifact> = {}
  let waiting = false
  for (const request of buildsOf(record, drafted)) {
    const buildKey = await builder.key(request)
    const observed = await builder.observe(buildKey)
    if (observed === null) await builder.start({ ...request, key: buildKey }, ports.epoch())
    if (observed?.phase === 'succeeded') artifacts[request.service] = observed.artifact
    else if (observed?.phase === 'failed')
      throw new WeirError(asBuildCode(observed.code), {
        message: `${request.service} was not built`,
        cause: observed.cause,
        evidence: observed.lastLines.slice(-20).join('\n'),
      })
    else waiting = true
  }
  if (waiting) return BUILD_POLL_MS
  await ready(ports, record, graph, artifacts)
  return null
}

/** The same graph and artifacts with the configuration of now: `env apply`, a new secret. */
async function repeat(ports: ReleasePorts, record: ReleaseRecord): Promise<null> {
  if (!record.previous) throw new WeirError('E_NOT_FOUND', { message: 'the release to repeat is no longer kept', next: 'weir deploy' })
  await ready(ports, record, record.previous.graph, record.previous.artifacts)
  return null
}

async function ready(ports: ReleasePorts, record: ReleaseRecord, graph: AppGraph, artifacts: Release['artifacts']): Promise<void> {
  const mute = Object.values(graph.services).find((it) => !it.command && !artifacts[it.name]?.command)
  if (mute) {
    throw new WeirError('E_START_FAILED', {
      message: `${mute.name} has no command`,
      cause: 'neither the manifest nor the build says how to start it',
      next: `add \`command:\` to ${mute.name} in the manifest`,
    })
  }
  const missing = Object.values(graph.services)
    .flatMap((service) => service.secrets.map((it) => it.name))
    .filter((name) => record.configuration.secrets[name] === undefined)
  if (missing.length > 0) {
    throw new WeirError('E_SECRET_MISSING', {
      message: `secret ${missing[0]} is not set`,
      cause: `the manifest names ${[...new Set(missing)].join(', ')}`,
      next: `weir secrets set ${missing[0]} < FILE`,
    })
  }
  await ports.journal.commitRelease(ports.epoch(), record.key, {
    status: 'ready',
    graph,
    artifacts,
    fingerprints: fingerprintsOf(graph, artifacts, record),
    events: [event(record, 'release.ready', `v${record.key.number} is built`)],
  })
}

/** service → hash of all that its replicas are started from. */
export function fingerprintsOf(
  graph: AppGraph,
  artifacts: Release['artifacts'],
  { configuration }: Pick<ReleaseRecord, 'configuration'>,
): Record<string, string> {
  return Object.fromEntries(
    Object.values(graph.services).flatMap((service) => {
      const artifact = artifacts[service.name]
      return artifact
        ? [
            [
              service.name,
              createHash('sha256')
                .update(replicaInputs(graph, service, artifact, configuration))
                .digest('hex'),
            ],
          ]
        : []
    }),
  )
}

/** The user's mistake or a hopeless build: it would fail again in the same way. Everything else is tried again. */
function isFinal(error: unknown): error is WeirError {
  return isWeirError(error) && !['E_UNAVAILABLE', 'E_STALE_EPOCH', 'E_INTERNAL', 'E_DISK_FULL'].includes(error.code)
}

async function fail(ports: ReleasePorts, record: ReleaseRecord, error: WeirError): Promise<void> {
  const { cause, evidence, problems } = error.explanation
  const lines = [...(problems ?? []).map((it) => `${it.at} ${it.message}${it.hint ? ` (${it.hint})` : ''}`), ...(evidence ? evidence.split('\n') : [])]
  const because: Because = { code: error.code, text: cause && !problems ? `${error.message}: ${cause}` : error.message, lines }
  await failRelease(ports, record, because)
}

/** Ends it; what it would have replaced goes on. */
export async function failRelease({ journal, epoch }: ReleasePorts, record: ReleaseRecord, because: Because): Promise<void> {
  await journal.commitRelease(epoch(), record.key, { status: 'failed', because, events: [event(record, 'release.failed', because.text, { because })] })
}

function event(record: ReleaseRecord, kind: string, text: string, data: NewEvent['data'] = {}): NewEvent {
  return { kind, text, service: null, release: record.key.number, data }
}

function asBuildCode(code: string): 'E_BUILD_FAILED' | 'E_BUILD_TIMEOUT' | 'E_BUILD_OOM' | 'E_BUILD_TOO_LARGE' | 'E_BUILD_UNKNOWN_KIND' {
  switch (code) {
    case 'E_BUILD_TIMEOUT':
    case 'E_BUILD_OOM':
    case 'E_BUILD_TOO_LARGE':
    case 'E_BUILD_UNKNOWN_KIND':
      return code
    default:
      return 'E_BUILD_FAILED'
  }
}
