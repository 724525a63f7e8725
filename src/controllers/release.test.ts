import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Builder, BuildRequest, ObservedBuild } from '../build/builder.ts'
import type { Artifact } from '../core/model/release.ts'
import type { Clock } from '../core/model/world.ts'
import { isWeirError, WeirError } from '../errors.ts'
import type { Source, SourceTree } from '../source/source.ts'
import { SimulatedJournal } from '../store/simulated.ts'
import { SimulatedStore } from '../store/simulated-store.ts'
import { followBranches } from './follow.ts'
import { preview } from './preview.ts'
import { reconcileRelease } from './release.ts'

const clock: Clock = { monotonic: () => 0, wall: () => 0, after: () => () => {} }
const MANIFEST = 'version: 1\napp: shop\nservices:\n  web: { build: ., command: ["node", "server.js"], ports: { http: 8080 } }\n'

/** A repository in which a branch can move, and a builder that builds when it is told to. */
class Workshop {
  readonly store = new SimulatedStore()
  readonly journal = new SimulatedJournal(this.store, clock)
  readonly environment = this.store.createEnvironment({ tenant: 'acme', app: 'shop', environment: 'production' })
  readonly builds = new Map<string, ObservedBuild>()
  readonly fetched: (string | null)[] = []
  files: Record<string, string> = { 'weir.yaml': MANIFEST, 'server.js': '' }
  branch = 'c1'
  trouble: Error | null = null

  readonly source: Source = {
    resolve: async () => ({ commit: this.branch, ref: 'main' }),
    fetch: async (_tenant, source): Promise<SourceTree> => {
      if (this.trouble) throw this.trouble
      const commit = source.kind === 'git' ? (source.commit ?? this.branch) : null
      this.fetched.push(commit)
      return { location: { kind: 'folder', path: '/' }, commit, time: 0, summary: { subject: 'a change', author: 'Ann' } }
    },
    readFile: async (_tree, path) => (this.files[path] === undefined ? null : new TextEncoder().encode(this.files[path])),
    list: async () => Object.keys(this.files),
    digest: async (tree) => `tree:${tree.commit}`,
    export: async () => {},
  }
  readonly builder: Builder = {
    fence: () => {},
    key: async (request: BuildRequest) => `${request.service}:${request.tree.commit}`,
    start: async ({ key }) => void this.builds.set(key, { phase: 'queued', position: 1 }),
    observe: async (key) => this.builds.get(key) ?? null,
    cancel: async () => {},
    log: async function* () {},
    watch: () => () => {},
    verify: async () => [],
  }

  async pass(number: number): Promise<number | null> {
    const epoch = this.store.lease.epoch
    return reconcileRelease(
      { journal: this.journal, source: this.source, builder: this.builder, epoch: () => epoch },
      { environment: this.environment, number },
    )
  }

  built(key: string): Artifact {
    const artifact: Artifact = { kind: 'slug', digest: `sha256:${key}`, key, bytes: 1, command: null, runtime: null }
    this.builds.set(key, { phase: 'succeeded', artifact, cached: false })
    return artifact
  }

  release() {
    return this.store.createRelease(this.environment, { source: { kind: 'git', url: 'https://example.com/shop.git', ref: 'main', commit: null, path: '.' } })
      .number
  }

  async status(number: number) {
    return (await this.journal.loadRelease({ environment: this.environment, number })) ?? assert.fail('no release')
  }
}

test('a release is fetched, built and ready, and its deploy command is stored with it', async () => {
  const it = new Workshop()
  const number = it.release()
  assert.notEqual(await it.pass(number), null, 'it looks again while the build runs')
  assert.equal((await it.status(number)).status, 'building')
  it.built('web:c1')
  assert.equal(await it.pass(number), null)
  const record = await it.status(number)
  assert.equal(record.status, 'ready')
  assert.equal(record.artifacts['web']?.digest, 'sha256:web:c1')
  const environment = await it.journal.loadEnvironment(it.environment)
  assert.deepEqual(
    environment?.commands.map((command) => command.command),
    [{ kind: 'deploy', release: number, whenBusy: 'wait' }],
  )
})

test('a branch that moves while its release is built does not change what is built', async () => {
  const it = new Workshop()
  const number = it.release()
  await it.pass(number)
  it.branch = 'c2'
  it.built('web:c1')
  await it.pass(number)
  assert.deepEqual(it.fetched, ['c1', 'c1'])
  assert.equal((await it.status(number)).artifacts['web']?.key, 'web:c1')
})

test('a failed build fails the release with its last lines, and touches nothing else', async () => {
  const it = new Workshop()
  const number = it.release()
  await it.pass(number)
  it.builds.set('web:c1', { phase: 'failed', code: 'E_BUILD_OOM', cause: 'killed at 2 GiB', lastLines: ['compiling', 'Killed'] })
  assert.equal(await it.pass(number), null)
  assert.equal((await it.status(number)).status, 'failed')
  assert.deepEqual((await it.journal.loadEnvironment(it.environment))?.commands, [])
  const failed = it.store.events.find((event) => event.kind === 'release.failed')
  assert.match(JSON.stringify(failed?.data), /E_BUILD_OOM.*killed at 2 GiB.*Killed/)
})

test('a manifest with problems fails the release with all of them', async () => {
  const it = new Workshop()
  it.files['weir.yaml'] = 'version: 1\napp: shop\nservices:\n  web: { bild: . }\n  api: { prots: {} }\n'
  const number = it.release()
  await it.pass(number)
  const failed = it.store.events.find((event) => event.kind === 'release.failed')
  assert.match(JSON.stringify(failed?.data), /weir.yaml:4:10.*bild.*weir.yaml:5:10.*prots/)
})

test('a store or repository that is away is tried again; one that refuses is not', async () => {
  const it = new Workshop()
  const number = it.release()
  it.trouble = new WeirError('E_UNAVAILABLE', { message: 'away' })
  await assert.rejects(it.pass(number), (error) => isWeirError(error, 'E_UNAVAILABLE'))
  assert.equal((await it.status(number)).status, 'queued')
  it.trouble = new WeirError('E_SOURCE_AUTH', { message: 'the repository refused the credentials' })
  assert.equal(await it.pass(number), null)
  assert.equal((await it.status(number)).status, 'failed')
})

test('a secret that the manifest names and nobody has set fails the release before anything starts', async () => {
  const it = new Workshop()
  it.files['weir.yaml'] = `${MANIFEST.trimEnd().slice(0, -2)}, secrets: [session-key] }\n`
  const number = it.release()
  await it.pass(number)
  it.built('web:c1')
  await it.pass(number)
  assert.equal((await it.status(number)).status, 'failed')
  assert.match(JSON.stringify(it.store.events.at(-1)), /session-key/)
})

test('a followed branch makes one release per commit, however often it is looked at', async () => {
  const it = new Workshop()
  it.store.follow(it.environment, { url: 'https://example.com/shop.git', ref: 'main', path: '.' })
  const released: number[] = []
  const look = () =>
    followBranches({ journal: it.journal, source: it.source, epoch: () => it.store.lease.epoch, released: ({ number }) => released.push(number) })
  await look()
  await look()
  it.branch = 'c2'
  await look()
  await look()
  assert.equal(released.length, new Set(released).size)
  assert.equal(released.length, 2)
})

test('a preview builds nothing, and knows an artifact by its key', async () => {
  const it = new Workshop()
  const request = {
    tenant: 'acme',
    app: 'shop',
    environment: 'production',
    source: { kind: 'git' as const, url: 'u', ref: 'main', commit: null, path: '.' },
    manifest: null,
    configuration: { environment: {}, secrets: {} },
  }
  const first = await preview(it, { ...request, base: null })
  assert.deepEqual(first.notes, ['web would be built'])
  assert.equal(it.builds.size, 0)
  it.built('web:c1')
  const number = it.release()
  await it.pass(number)
  const ready = it.store.must(it.environment).releases.get(number)
  const base = {
    number,
    source: request.source,
    ...(JSON.parse(ready?.document ?? '{}') as Pick<Parameters<typeof preview>[1]['base'] & object, 'graph' | 'artifacts' | 'configuration' | 'fingerprints'>),
  }
  assert.deepEqual((await preview(it, { ...request, base })).changes, [])
  it.branch = 'c2'
  assert.deepEqual((await preview(it, { ...request, base })).changes, [{ service: 'web', kind: 'changed', reasons: ['code'] }])
})

test('a service that nobody says how to start fails its release, not its start', async () => {
  const it = new Workshop()
  it.files['weir.yaml'] = MANIFEST.replace(', command: ["node", "server.js"]', '')
  const number = it.release()
  await it.pass(number)
  it.built('web:c1')
  await it.pass(number)
  assert.match(JSON.stringify(it.store.events.at(-1)), /E_START_FAILED.*web has no command/)
})
