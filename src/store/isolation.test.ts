import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Look } from '../controllers/journal.ts'
import { STANDARD_ANALYSIS } from '../core/canary/analysis.ts'
import { testMessage } from '../core/notify/message.ts'
import { isWeirError } from '../errors.ts'
import { Identity } from '../identity/identity.ts'
import type { Database } from './database.ts'
import { Hints } from './hints.ts'
import { PostgresJournal } from './journal.ts'
import { changes, event, graphOf, handClock } from './journal-contract.ts'
import { PostgresIdentity } from './postgres-identity.ts'
import { PostgresQueries } from './postgres-queries.ts'
import { PostgresWrites } from './postgres-writes.ts'
import { PostgresProbes } from './probes.ts'
import type { Queries } from './queries.ts'
import { PostgresReplicaUsage } from './replica-usage.ts'
import { SealedValues } from './sealed.ts'
import { startTestPostgres, TEST_SEALER, type TestPostgres, writerFor } from './testing.ts'
import type { Writer } from './writes.ts'

let postgres: TestPostgres
let database: Database
let environment = ''
let tokenId = 0
let followId = 0
let notifyId = 0
before(async () => {
  postgres = await startTestPostgres()
  const store = await postgres.freshStore()
  database = store.database
  ;({ environment, tokenId, followId, notifyId } = await seed())
})
after(() => postgres.stop())

const OURS = { tenant: 'acme', app: 'shop', environment: 'production' }
const THEIRS = { ...OURS, tenant: 'globex' }
const PAGE = { limit: 50, cursor: null }
const CANARY = 'canary-5f1d7c'
const BRANCH = { url: 'https://git.example.com/shop.git', ref: 'main', path: '' }

/** Something of every kind in tenant acme; tenant globex exists and has nothing. */
async function seed() {
  const write = writerFor(database, 'setup')
  await writerFor(database, 'other')((writer) => writer.createTenant('globex'))
  const made = await write(async (writer) => {
    await writer.createTenant('acme')
    await writer.createAccount({ name: 'ann', passwordHash: null, admin: false })
    await writer.setRole('acme', 'ann', 'admin')
    const { id } = await writer.ensureEnvironment(OURS)
    await writer.setVariables(OURS, '*', { A: '1' })
    await writer.setSecret(OURS, 'key', Buffer.from(CANARY))
    await writer.setCredential('acme', 'token', 'https://git.example.com/', Buffer.from(CANARY))
    const slack = { kind: 'slack', url: `https://hooks.example.com/${CANARY}` } as const
    const notify = await writer.addNotifyTarget('acme', { app: 'shop', environment: null, topics: ['started'], address: slack })
    await writer.tryNotifyTarget('acme', notify, testMessage({ tenant: 'acme', app: 'shop', environment: null }, '2026-01-02T03:04:05Z'))
    const follow = await writer.follow(OURS, BRANCH)
    const token = await writer.createToken({
      hash: Buffer.alloc(32, 1),
      label: 'shop-ci',
      tenant: 'acme',
      account: null,
      environment: null,
      verbs: ['app:read'],
      expiresInMs: 1000,
    })
    await writer.createRelease(OURS, { source: { kind: 'upload', digest: 'sha256:1', label: 'x' }, manifest: null, whenBusy: 'wait' })
    return { environment: id, tokenId: token, followId: follow, notifyId: notify }
  })
  const journal = new PostgresJournal(database, new Hints({ url: '' }), handClock())
  const epoch = (await journal.acquire('a', false)) ?? 0
  await journal.commitRelease(
    epoch,
    { environment: made.environment, number: 1 },
    { status: 'ready', graph: graphOf([{ host: 'a.example.com', path: '/', port: 'http' }]), events: [] },
  )
  const rollout = {
    id: 'r1',
    kind: 'deploy',
    target: 1,
    base: null,
    by: 'ann',
    strategy: 'rolling',
    phase: 'starting',
    weight: 0,
    outcome: null,
    because: null,
    look: LOOK,
  } as const
  const trial = { id: 'aa-web', release: 1, requests: 5, maxLogE: 0.5, alarm: false, designEffect: 1, ended: true }
  const operation = { id: 'o1', kind: 'start', target: 'web', outcome: 'intended', cause: null } as const
  await journal.commitEnvironment(
    epoch,
    made.environment,
    changes({ current: 1 }, { rollouts: [rollout], trials: [trial], operations: [operation], events: [event('x')], promoted: [1] }),
  )
  const row = {
    environment: made.environment,
    version: { epoch, n: 1 },
    hop: 'entry',
    track: 'stable',
    service: 'web',
    origin: 1,
    route: '/',
    requests: 5,
    errors: 1,
    rejected4xx: 0,
    html: 0,
    aborted: 0,
    latency: [3, 5],
  } as const
  const seen = { service: 'web', route: '/', side: 'canary', requests: 5, errors: 1, rejected4xx: 0, timed: 0, slow: [] } as const
  const evidence = { environment: made.environment, rollout: 'r1', stage: 1, fromMs: 0, toMs: 1, rows: [seen], replicas: [], clients: [] }
  await journal.commitCounters(epoch, [
    { incarnation: 'w', sequence: 1, from: 0, to: 1, rows: [row, { ...row, route: '/a', latency: [3, 1, 4, 4] }], evidence: [evidence] },
  ])
  const probed = { environment: made.environment, service: 'web', probe: 'home', ok: true, durationMs: 5, cause: null }
  await new PostgresProbes(database).commit(epoch, [probed], new Map())
  const used = { samples: 1, seconds: 5, cpuSeconds: 1, memoryBytes: 100, memoryPeakBytes: 100, minuteMs: 60_000 * Math.floor(Date.now() / 60_000) }
  await new PostgresReplicaUsage(database).commit(epoch, [{ ...used, environment: made.environment, service: 'web', release: 1, replica: 'web-1' }])
  return made
}

const LOOK: Look = {
  verdict: { kind: 'fail', text: 'web: worse', tests: [], unproven: [], needsS: null, share: 0.1, counted: { canary: 1, stable: 9, unit: 'requests' } },
  rules: { analysis: STANDARD_ANALYSIS, unit: 'request', designEffect: 1, changed: ['web'], replicas: { web: 1 }, thresholds: {} },
  isSplit: true,
  cursor: 1,
  side: { deaths: [], signatures: [], usage: [], custom: [] },
  at: 0,
  deathsBefore: {},
}

/** One call of every query of tenant data; a query without an entry does not compile. */
const QUERIES: {
  readonly [name in Exclude<keyof Queries, 'accounts' | 'tenants' | 'registrationOpen' | 'notifyReach' | 'health' | 'lastEvent' | 'everyEnvironment'>]: (
    queries: Queries,
    ref: typeof OURS,
  ) => Promise<unknown>
} = {
  apps: (queries, ref) => queries.apps(ref.tenant, PAGE),
  environments: (queries, ref) => queries.environments(ref.tenant, ref.app),
  environment: (queries, ref) => queries.environment(ref),
  releases: (queries, ref) => queries.releases(ref, PAGE),
  release: (queries, ref) => queries.release(ref, 1),
  rollouts: (queries, ref) => queries.rollouts(ref, PAGE),
  rollout: (queries, ref) => queries.rollout(ref, 'r1'),
  look: (queries, ref) => queries.look(ref, 'r1'),
  evidence: (queries, ref) => queries.evidence(ref, 'r1', 0),
  trials: (queries, ref) => queries.trials(ref, PAGE),
  operations: (queries, ref) => queries.operations(ref, PAGE),
  command: (queries, ref) => queries.command(ref, 1),
  events: (queries, ref) => queries.events(ref, 0, 50),
  newestEvents: (queries, ref) => queries.newestEvents(ref, PAGE),
  audit: (queries, ref) => queries.audit(ref.tenant, PAGE),
  configuration: (queries, ref) => queries.configuration(ref),
  follows: (queries, ref) => queries.follows(ref),
  notifyTargets: (queries, ref) => queries.notifyTargets(ref.tenant, PAGE),
  notifyTarget: (queries, ref) => queries.notifyTarget(ref.tenant, notifyId),
  deliveries: (queries, ref) => queries.deliveries(ref.tenant, notifyId, PAGE),
  credentials: (queries, ref) => queries.credentials(ref.tenant, PAGE),
  traffic: (queries, ref) => queries.traffic(ref, 60_000),
  indicators: (queries, ref) => queries.indicators(ref, { windowsMs: [60_000], by: 'route', limit: 10 }),
  probes: (queries, ref) => queries.probes(ref, 60_000),
  usage: (queries, ref) => queries.usage(ref, { windowMs: 600_000, by: 'service' }),
  tokens: (queries, ref) => queries.tokens(ref.tenant, PAGE),
  members: (queries, ref) => queries.members(ref.tenant, PAGE),
}

test("every query finds what is its own tenant's, and of another tenant nothing", async () => {
  const queries = new PostgresQueries(database)
  const leaks = /shop|acme|web|ann|sha256|example\.com|canary|setup/
  for (const [name, ask] of Object.entries(QUERIES)) {
    const own = JSON.stringify(await ask(queries, OURS))
    assert.match(own, leaks, `${name} finds its own`)
    const other = JSON.stringify(await ask(queries, THEIRS))
    assert.doesNotMatch(other, leaks, `${name} of another tenant: ${other}`)
  }
})

test('lists and details show what they should', async () => {
  const queries = new PostgresQueries(database)
  const [app] = (await queries.apps('acme', PAGE)).items
  const { port: _port, updatedAt: _at, ...summary } = app?.environments[0] ?? { port: 0, updatedAt: '' }
  const newest = { number: 1, status: 'ready' }
  assert.deepEqual(summary, {
    id: environment,
    environment: 'production',
    current: 1,
    newest,
    rollout: null,
    status: 'running',
    services: 0,
    replicas: 0,
    routes: [{ host: 'a.example.com', path: '/' }],
  })
  const detail = await queries.environment(OURS)
  assert.deepEqual([detail?.state.current, detail?.graph?.app, detail?.pendingCommands], [1, 'shop', 1])
  assert.deepEqual((await queries.traffic(OURS, 60_000))[0]?.latency, [3, 6, 4, 4])
  assert.equal((await queries.configuration(OURS))?.secrets[0]?.version, 1)
  const events = await queries.events(OURS, 0, 100)
  assert.equal(await queries.lastEvent(), events.at(-1)?.seq)
  assert.deepEqual((await queries.newestEvents(OURS, PAGE)).items, events.toReversed())
})

test('every change asked for with another tenant finds nothing, and changes nothing', async () => {
  const write = writerFor(database, 'eve')
  const attempts: readonly ((writer: Writer) => Promise<unknown>)[] = [
    (writer) => writer.createRelease(THEIRS, { source: { kind: 'upload', digest: 'd', label: 'x' }, manifest: null, whenBusy: 'wait' }),
    (writer) => writer.addCommand(THEIRS, { kind: 'remove', withData: true }),
    (writer) => writer.recordExec(THEIRS, { service: 'web', replica: 'e1-web-v1-1', argv: ['sh'] }),
    (writer) => writer.setVariables(THEIRS, '*', { A: '2' }),
    (writer) => writer.setSecret(THEIRS, 'key', Buffer.from('x')),
    (writer) => writer.removeSecret(THEIRS, 'key'),
    (writer) => writer.follow(THEIRS, BRANCH),
    (writer) => writer.unfollow(THEIRS, followId),
    (writer) => writer.revokeToken({ tenant: 'globex' }, tokenId),
    (writer) => writer.revokeToken({ account: 'ann' }, tokenId),
    (writer) => writer.setCredential('globex', 'token', 'https://git.example.com/', null),
    (writer) => writer.setRole('globex', 'ann', null),
    (writer) => writer.removeNotifyTarget('globex', notifyId),
    (writer) => writer.tryNotifyTarget('globex', notifyId, testMessage({ tenant: 'globex', app: null, environment: null }, '2026-01-02T03:04:05Z')),
    (writer) =>
      writer.addNotifyTarget('globex', { app: 'shop', environment: null, topics: ['started'], address: { kind: 'slack', url: 'https://a.example/' } }),
  ]
  const all = async () =>
    JSON.stringify(
      await database.rows(
        'select (select json_agg(e) from environments e), (select json_agg(s) from secrets s), (select json_agg(t) from tokens t), (select json_agg(f) from follows f), (select json_agg(n) from notify_targets n), (select count(*) from notify_deliveries)',
      ),
    )
  const before = await all()
  for (const attempt of attempts) await assert.rejects(write(attempt), (error: unknown) => isWeirError(error, 'E_NOT_FOUND'), String(attempt))
  assert.equal(await all(), before)
})

test('a planted secret stands in no table, answer or error in clear, and opens for its own environment only', async () => {
  const sealed = new SealedValues(database, TEST_SEALER)
  assert.equal((await sealed.secret(environment, 'key', 1))?.revealText(), CANARY)
  assert.equal((await sealed.credential('acme', 'token', BRANCH.url))?.revealText(), CANARY)
  assert.equal(await sealed.credential('globex', 'token', BRANCH.url), null)
  assert.equal(await sealed.credential('acme', 'token', 'https://git.example.com.evil.example/x'), null)

  const tables = await database.rows<{ name: string }>("select table_name as name from information_schema.tables where table_schema = 'weir'")
  assert.ok(tables.length > 15)
  const hex = Buffer.from(CANARY).toString('hex')
  const base64 = Buffer.from(CANARY).toString('base64').slice(0, 16)
  for (const { name } of tables) {
    const [row] = await database.rows<{ text: string | null }>(`select string_agg(t::text, ' ') as text from ${name} t`)
    for (const form of [CANARY, hex, base64]) assert.ok(!row?.text?.includes(form), `${name} holds the secret`)
  }
  const queries = new PostgresQueries(database)
  for (const ask of Object.values(QUERIES)) assert.ok(!JSON.stringify(await ask(queries, OURS)).includes(CANARY))

  await database.rows("insert into environments (tenant, app, name, state) select tenant, app, 'copy', state from environments where id = $1", [environment])
  await database.rows(
    "insert into secrets (environment, name, version, sealed, by) select (select id from environments where name = 'copy'), name, version, sealed, by from secrets",
  )
  const [copy] = await database.rows<{ id: string }>("select id from environments where name = 'copy'")
  await assert.rejects(
    sealed.secret(copy?.id ?? '', 'key', 1),
    (error: unknown) => isWeirError(error, 'E_STATE') && !JSON.stringify(error.explanation).includes(CANARY),
  )
})

test('a stored answer that shows a token is sealed', async () => {
  const writes = new PostgresWrites(database, TEST_SEALER)
  const request = { by: 'ann', scope: 't', idempotency: { key: 'k', fingerprint: 'f' } }
  const work = async () => ({ status: 201, body: { secret: `weir_${CANARY}` } })
  await writes.transaction(request, work)
  const [row] = await database.rows<{ body: Buffer }>('select body from idempotency')
  assert.ok(!row?.body.toString('latin1').includes(CANARY))
  assert.deepEqual(await writes.transaction(request, work), { status: 201, body: { secret: `weir_${CANARY}` }, replayed: true })
})

test('a token works until it is revoked or over, and follows what its account may do', async () => {
  const identity = new Identity(new PostgresIdentity(database))
  const write = writerFor(database)
  const [login, short] = [identity.mintToken(), identity.mintToken()]
  const token = { label: 'log-in', tenant: null, account: 'ann', environment: null, verbs: null, expiresInMs: 60_000 }
  const id = await write((writer) => writer.createToken({ ...token, hash: login.hash }))
  await write((writer) => writer.createToken({ ...token, hash: short.hash, expiresInMs: 1 }))
  assert.ok((await identity.authenticate(login.secret))?.tenants['acme']?.includes('member:manage'))
  await write((writer) => writer.setRole('acme', 'ann', 'viewer'))
  assert.deepEqual((await identity.authenticate(login.secret))?.tenants, { acme: ['app:read', 'logs:read'] })
  await write((writer) => writer.revokeToken({ account: 'ann' }, id))
  assert.equal(await identity.authenticate(login.secret), null)
  assert.equal(await identity.authenticate(short.secret), null)
  assert.equal(await identity.authenticate('weir_nonsense'), null)
})

test('a new password ends the log-ins of its account, and no token that was made for a program', async () => {
  const identity = new Identity(new PostgresIdentity(database))
  const write = writerFor(database)
  const [login, program] = [identity.mintToken(), identity.mintToken()]
  const token = { label: 'x', account: 'ann', environment: null, verbs: null, expiresInMs: 60_000 }
  await write((writer) => writer.createToken({ ...token, tenant: null, hash: login.hash }))
  await write((writer) => writer.createToken({ ...token, tenant: 'acme', hash: program.hash }))
  await write((writer) => writer.setPassword('ann', 'scrypt$new'))
  assert.equal(await identity.authenticate(login.secret), null)
  assert.equal((await identity.authenticate(program.secret))?.account, 'ann')
})

test('an account has ten attempts to log in a minute, over all servers', async () => {
  const [one, two] = [new PostgresIdentity(database), new PostgresIdentity(database)]
  const answers: boolean[] = []
  for (let attempt = 0; attempt < 12; attempt++) answers.push(await (attempt % 2 ? one : two).attemptLogin('ann'))
  assert.deepEqual(answers, [...Array(10).fill(true), false, false])
  assert.equal(await one.attemptLogin('bob'), true)
  await database.rows("update login_attempts set window_start = now() - interval '61 seconds'")
  assert.equal(await one.attemptLogin('ann'), true)
})

test('pages follow each other without gap or repeat, and a made-up cursor is refused', async () => {
  const write = writerFor(database)
  await write(async (writer) => {
    for (let number = 0; number < 7; number++) await writer.ensureEnvironment({ ...THEIRS, app: `app${number}` })
  })
  const queries = new PostgresQueries(database)
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const page = await queries.apps('globex', { limit: 3, cursor })
    assert.ok(page.items.length <= 3)
    seen.push(...page.items.map((app) => app.app))
    cursor = page.cursor
  } while (cursor !== null)
  assert.deepEqual(
    seen,
    [0, 1, 2, 3, 4, 5, 6].map((number) => `app${number}`),
  )
  for (const bad of ['nonsense', 'MTIz', ''])
    await assert.rejects(queries.apps('globex', { limit: 3, cursor: bad }), (error: unknown) => isWeirError(error, 'E_USAGE'))
  await assert.rejects(queries.releases(OURS, { limit: 3, cursor: 'ImEi' }), (error: unknown) => isWeirError(error, 'E_USAGE'))
  assert.equal((await queries.apps('globex', { limit: 1e9, cursor: null })).items.length, 7)
})
