import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AT, anEnvironment, aRelease, aReplica, aRollout, aService } from './fixtures.ts'
import { type FakeServer, fakeServer, type Handlers, type Ran, type Typed, weir } from './testing.ts'

async function against(handlers: Handlers, use: (run: (line: string, typed?: Typed) => Promise<Ran>, server: FakeServer) => Promise<void>): Promise<void> {
  const server = await fakeServer(handlers)
  try {
    await use((line, typed) => weir(server, line.split(' '), { env: { WEIR_APP: 'shop' }, ...typed }), server)
  } finally {
    await server.close()
  }
}
const bodyOf = (server: FakeServer, route: string) => server.calls.findLast((it) => it.route === route)?.asked.body
const taken = { id: 7, kind: 'x', by: 'local', at: AT, outcome: 'consumed', because: null, rollout: null }

test('list has a line an environment, and follows pages to their end', () =>
  against(
    {
      'apps.list': ({ query }) =>
        query['cursor'] === undefined
          ? { items: [{ name: 'shop', createdAt: AT, environments: [{ ...anEnvironment({ release: 4 }), rollout: null }] }], cursor: 'next' }
          : { items: [{ name: 'blog', createdAt: AT, environments: [] }], cursor: null },
    },
    async (run) => {
      const { out } = await run('list')
      assert.match(out, /^APP {3}ENVIRONMENT {2}RELEASE {2}STATUS {3}CHANGED .*URL\n/)
      assert.match(out, /\nshop {2}production {3}v4 {7}running .* http:\/\/127\.0\.0\.1:8100\/\n/)
      assert.match(out, /\nblog {2}-/)
      assert.deepEqual(
        (JSON.parse((await run('ls -o json')).out) as { app: string }[]).map((it) => it.app),
        ['shop', 'blog'],
      )
      assert.match((await run('list -o yaml')).out, /^- app: shop\n/)
    },
  ))

test('status shows services, trouble and what is going on', () =>
  against(
    {
      'environments.show': () =>
        anEnvironment({
          warm: 3,
          release: 4,
          services: [aService('web', { wanted: 2, ready: 1, status: 'degraded', cause: 'exited with 1: \u001b[31mboom', scaledBy: 'hand' })],
          rollout: aRollout(5, { phase: 'splitting', weight: 5, step: 0, strategy: 'canary', waits: { for: 'approval', text: 'proven' } }),
          problems: ['port 80 is in use'],
        }),
    },
    async (run) => {
      const { out } = await run('status')
      assert.match(out, /^shop production {2}running {2}v4 serves, v3 is warm\n/)
      assert.match(out, /\nweb {6}degraded {2}1\/2 by hand {2}v1 {5}exited with 1: \\x1b\[31mboom\n/)
      assert.match(out, /\nphase {5}splitting, step 1\nweight {4}v5 5 %, v4 95 %\nwaits {5}for approval: proven \(weir canary resume, promote or abort\)\n/)
      assert.match(out, /\n! port 80 is in use\n$/)
    },
  ))

test('ps lists replicas of all services or of one', () =>
  against(
    {
      'environments.show': () =>
        anEnvironment({ replicas: [aReplica('web', 2), aReplica('api', 1, { phase: 'waiting', restarts: 3, cause: 'exited with 1', retired: true })] }),
    },
    async (run) => {
      assert.match((await run('ps')).out, /\ne1-api-v1-1 {2}api {6}v1 {7}waiting, draining {2}3 {9}exited with 1\n/)
      assert.doesNotMatch((await run('ps -s web')).out, /api/)
    },
  ))

test('logs are merged, escaped, and page from the end', () => {
  const line = (text: string, service = 'web') => ({ at: AT, service, release: 1, replica: 'e1-web-v1-1', stream: 'stdout', text })
  return against(
    {
      'logs.list': ({ query }) =>
        query['cursor'] === undefined
          ? { items: [line('three'), line('four', 'api')], cursor: 'older' }
          : { items: [line('one\u001b[2J'), line('two')], cursor: null },
      'logs.follow': async function* () {
        yield { event: 'line', data: line('live') }
      },
    },
    async (run, server) => {
      assert.equal((await run('logs')).out, `${AT} web | one\\x1b[2J\n${AT} web | two\n${AT} web | three\n${AT} api | four\n`)
      assert.equal((await run('logs -n 2')).out, `${AT} web | three\n${AT} api | four\n`)
      assert.equal((JSON.parse((await run('logs -n 1 -o json')).out) as unknown[]).length, 1)
      await run('logs -S 2026-01-31T10:00Z -s api --release v3')
      const { since, service, release } = server.calls.findLast((it) => it.route === 'logs.list')?.asked.query ?? {}
      assert.deepEqual([since, service, release], ['2026-01-31T10:00:00.000Z', 'api', '3'])
      assert.equal((await run('logs -f')).out, `${AT} web | live\n`)
    },
  )
})

test('a rollback is followed by its rollout and prints the undo', () =>
  against(
    {
      'rollback.create': () => ({ command: 7 }),
      'commands.show': () => ({ ...taken, rollout: 'r9' }),
      'rollouts.show': () => aRollout(3, { id: 'r9', kind: 'rollback', base: 4, phase: 'ended', outcome: 'promoted', stages: null }),
      'releases.show': () => aRelease(3, { rollout: 'r3' }),
      'environments.show': () => anEnvironment({ release: 3 }),
      'events.follow': async function* () {},
    },
    async (run, server) => {
      const { exit, out } = await run('rollback v3 --accept-schema')
      assert.equal(exit, 0)
      assert.match(out, /✓ v3 of shop serves 100 %.*\n.*\n {2}undo {2}weir rollback v4\n$/)
      assert.deepEqual(bodyOf(server, 'rollback.create'), { to: 3, acceptSchema: true })
    },
  ))

test('a refused command ends with what refused it', () =>
  against(
    {
      'rollout.promote': () => ({ command: 7 }),
      'commands.show': () => ({ ...taken, kind: 'promote', outcome: 'refused', because: { code: 'E_NOT_FOUND', text: 'no rollout is running', lines: [] } }),
    },
    async (run) => {
      const { exit, err } = await run('canary promote')
      assert.deepEqual([exit, err], [5, '✗ promote was refused\n  cause     no rollout is running\n  next      weir status\n'])
    },
  ))

test('a canary is steered, and without one there is nothing to see', () =>
  against(
    {
      'rollout.weight': () => ({ command: 7 }),
      'rollout.abort': () => ({ command: 7 }),
      'commands.show': () => taken,
      'rollout.current': () => ({ rollout: null }),
    },
    async (run, server) => {
      assert.equal((await run('canary weight 12.5%')).out, 'the new release gets 12.5 %\n')
      assert.deepEqual(bodyOf(server, 'rollout.weight'), { weight: 12.5 })
      assert.equal((await run('canary abort')).out, 'the new release is being taken back\n')
      assert.match((await run('canary')).out, /^no rollout is running; /)
    },
  ))

test('scale by hand, and back to what the manifest says', () =>
  against(
    {
      'services.scale': () => ({ command: 7 }),
      'commands.show': () => taken,
      'environments.show': () => anEnvironment({ services: [aService('web', { scaledBy: 'hand' }), aService('api')] }),
    },
    async (run, server) => {
      await run('scale web=3 api=auto')
      const wishes = () =>
        server.calls
          .filter((it) => it.route === 'services.scale')
          .map((it) => [it.asked.params['service'], (it.asked.body as { replicas: number | null }).replicas])
      assert.deepEqual(wishes(), [
        ['web', 3],
        ['api', null],
      ])
      await run('scale auto')
      assert.deepEqual(wishes().slice(2), [['web', null]])
    },
  ))

test('variables are staged for all services or for one; no file is read for a value', () => {
  const variables = { staged: { '*': { LEVEL: 'debug' } }, current: { '*': { LEVEL: 'info' } }, changed: true, etag: 'x' }
  return against({ 'variables.update': () => variables, 'variables.show': () => variables }, async (run, server) => {
    assert.match((await run('env set LEVEL=debug FILE=@/etc/passwd')).out, /^staged; /)
    assert.deepEqual(bodyOf(server, 'variables.update'), { service: '*', set: { LEVEL: 'debug', FILE: '@/etc/passwd' } })
    await run('env unset LEVEL -s web')
    assert.deepEqual(bodyOf(server, 'variables.update'), { service: 'web', unset: ['LEVEL'] })
    assert.match((await run('env')).out, /^- LEVEL=info\n\+ LEVEL=debug\n/)
  })
})

test('a secret comes from standard input, loses the line break of the pipe, and is never shown', () =>
  against(
    {
      'secrets.set': () => ({ name: 'session-key', version: 2 }),
      'secrets.list': () => ({ items: [{ name: 'session-key', version: 2, by: 'local', at: AT }], cursor: null }),
    },
    async (run, server) => {
      assert.equal((await run('secrets set session-key', { stdin: 'pa ss\nword\n', env: { WEIR_APP: 'shop' } })).exit, 0)
      assert.deepEqual(bodyOf(server, 'secrets.set'), { value: 'pa ss\nword' })
      assert.equal((await run('secrets set session-key', { stdin: '', env: { WEIR_APP: 'shop' } })).exit, 64)
      assert.match((await run('secrets')).out, /session-key {2}«hidden» {2}2/)
    },
  ))

test('credentials name the repositories they are for', () =>
  against({ 'credentials.set': () => ({ ok: true }) }, async (run, server) => {
    const table: [line: string, stdin: string, body: object][] = [
      ['credentials set git.example.com', 't0ken\n', { kind: 'token', urlPrefix: 'https://git.example.com/', value: 't0ken' }],
      ['credentials set https://git.example.com/team/ --user bot', 't0ken', { kind: 'token', urlPrefix: 'https://git.example.com/team/', value: 'bot:t0ken' }],
      [
        'credentials set git@git.example.com:team/shop.git --ssh-key',
        'KEY\n',
        { kind: 'deploy-key', urlPrefix: 'ssh://git@git.example.com/team/shop.git', value: 'KEY\n' },
      ],
      ['credentials set git.example.com --known-hosts', 'line\n', { kind: 'known-hosts', urlPrefix: 'ssh://git@git.example.com/', value: 'line\n' }],
    ]
    for (const [line, stdin, body] of table) {
      assert.equal((await run(line, { stdin })).exit, 0, line)
      assert.deepEqual(bodyOf(server, 'credentials.set'), body)
    }
  }))

test('an app is removed only when its name is said again, and never asked for without a terminal', () =>
  against({ 'apps.remove': () => ({ commands: [] }), 'environments.remove': () => ({ command: 7 }) }, async (run, server) => {
    assert.equal((await run('remove shop')).exit, 64)
    assert.equal((await run('remove shop --confirm shpo')).exit, 64)
    assert.equal((await run('remove shop', { answers: ['no'] })).exit, 64)
    assert.equal(server.calls.length, 0)
    assert.match((await run('remove shop --confirm shop --with-data')).out, /its data too/)
    assert.deepEqual(server.calls.at(-1)?.asked.query, { confirm: 'shop', withData: 'true' })
    assert.match((await run('remove shop', { answers: ['shop'] })).out, /its data stays/)
    await run('remove shop -e staging --confirm staging')
    assert.equal(server.calls.at(-1)?.route, 'environments.remove')
  }))

test('stop, start and restart are about the app or a service of it', () =>
  against(
    { 'environments.stop': () => ({ command: 7 }), 'environments.restart': () => ({ command: 7 }), 'commands.show': () => taken },
    async (run, server) => {
      assert.match((await run('stop blog')).out, /^blog is stopping, its data stays/)
      assert.deepEqual(bodyOf(server, 'environments.stop'), { service: null })
      assert.match((await run('restart -s web')).out, /^web of shop gets fresh replicas/)
      assert.deepEqual(bodyOf(server, 'environments.restart'), { service: 'web' })
    },
  ))

test('run prints what the command prints and ends as it ends', () => {
  const task = (exit: object) => ({ id: 't1', kind: 'run', service: 'web', name: 'run', argv: [], phase: 'failed', exit, lastLines: [] })
  let exit: object = { kind: 'code', code: 42 }
  return against(
    {
      'tasks.create': () => ({ task: 't1', command: 1 }),
      'tasks.show': () => task(exit),
      'tasks.output': async function* () {
        yield { event: 'output', data: { stream: 'stdout', text: 'hello' } }
        yield { event: 'output', data: { stream: 'stdout', text: 'world' } }
        yield { event: 'output', data: { stream: 'stderr', text: 'oh\u001b[2J' } }
      },
    },
    async (run, server) => {
      const first = await run('run web -- ls -l --json', { interactive: true, env: { WEIR_APP: 'shop' } })
      assert.deepEqual([first.exit, first.out, first.err], [42, 'hello\nworld\n', 'oh\\x1b[2J\n'])
      assert.deepEqual(bodyOf(server, 'tasks.create'), { service: 'web', argv: ['ls', '-l', '--json'] })
      exit = { kind: 'oom' }
      const second = await run('run web --timeout 90s -- x')
      assert.deepEqual([second.exit, second.err], [137, 'oh\u001b[2J\nended: it needed more memory than its limit\n'])
      assert.deepEqual(bodyOf(server, 'tasks.create'), { service: 'web', argv: ['x'], timeoutSeconds: 90 })
    },
  )
})

test('a plan says what, in which order and why; --detailed-exit-code ends with 2 when there is something', () => {
  const plan = {
    app: 'shop',
    environment: 'production',
    base: 4,
    strategy: 'rolling',
    steps: [],
    changes: [
      { service: 'api', kind: 'changed', reasons: ['code'] },
      { service: 'old', kind: 'removed', reasons: ['not in the manifest any more'] },
    ],
    untouched: ['web'],
    stages: [{ services: [{ service: 'api', manner: 'beside', preStart: [{ name: 'migrate', compatible: false }] }] }],
    resources: [{ name: 'db', kind: 'postgres', action: 'create' }],
    routes: { added: ['*/api → api'], removed: [] },
    judged: [],
    notJudged: [],
    breaks: [],
    notWarm: [{ service: 'api', because: 'migrate is not declared compatible' }],
    keepMs: 300_000,
    refusal: null,
    notes: ['compose: `restart` has no effect'],
  }
  let answer: object = plan
  return against({ 'plan.create': () => answer, 'sources.app': () => ({ app: 'shop' }) }, async (run) => {
    const { exit, out } = await run('plan https://git.example.com/shop --detailed-exit-code')
    assert.equal(exit, 2)
    assert.equal(
      out,
      `shop production  over v4, rolling
  ~ api  code
  - old  not in the manifest any more
  + postgres db
  + route */api → api
  not touched: web

order
  1. api
  before api: migrate, not declared compatible: no warm rollback
cold  api: migrate is not declared compatible
note  compose: \`restart\` has no effect
`,
    )
    assert.equal((await run('diff https://git.example.com/shop')).exit, 0)
    answer = { ...plan, changes: [], resources: [], routes: { added: [], removed: [] } }
    assert.deepEqual(await run('diff https://git.example.com/shop --detailed-exit-code'), { exit: 0, out: '  nothing would change\n', err: '' })
  })
})

test('releases: history, one, and what differs', () =>
  against(
    {
      'releases.list': () => ({
        items: [
          aRelease(2, {
            serving: true,
            source: {
              kind: 'git',
              label: 'https://git.example.com/shop',
              commit: '0123456789abcdef',
              ref: 'main',
              subject: 'Faster \u001b[31mcart',
              author: 'ann',
            },
          }),
        ],
        cursor: null,
      }),
      'releases.diff': () => ({
        from: 1,
        to: 2,
        services: [{ name: 'web', change: 'changed', reasons: ['environment'], changes: [{ what: 'environment.LEVEL', from: 'info', to: null }] }],
        resources: [],
        jobs: [],
        configuration: [],
      }),
      'releases.show': () =>
        aRelease(2, { status: 'failed', because: { code: 'E_BUILD_FAILED', text: 'npm ci ended with 1', lines: ['npm error'] }, services: [] }),
    },
    async (run) => {
      assert.match((await run('releases')).out, /\nv2 {7}serving {2}.* local {2}https:\/\/git\.example/)
      assert.match((await run('releases -o wide')).out, /main 0123456789 "Faster \\x1b\[31mcart"/)
      assert.equal((await run('releases diff v1 2')).out, '~ web  environment\n    environment.LEVEL: info → –\n')
      assert.match((await run('releases show v2')).out, /release {3}v2 failed\n[^]*because {3}npm ci ended with 1\n {10}npm error\n$/)
    },
  ))

test('a token can be narrowed, and its secret is all that a pipe gets', () =>
  against({ 'tokens.create': () => ({ id: 3, secret: 'weir_abc', expiresInDays: 7 }) }, async (run, server) => {
    const { out, err } = await run('token create ci --verbs app:read,app:deploy --expires 7d -a shop -e staging')
    assert.equal(out, 'weir_abc\n')
    assert.match(err, /shown only now/)
    assert.deepEqual(bodyOf(server, 'tokens.create'), { label: 'ci', environment: 'shop/staging', verbs: ['app:read', 'app:deploy'], days: 7 })
    assert.equal((await run('token create --expires 91d')).exit, 64)
    await run('token create')
    assert.deepEqual(bodyOf(server, 'tokens.create'), { label: 'token' })
  }))

test('members are listed, added with a role and removed; another role is refused before anything is asked', () =>
  against(
    {
      'members.list': () => ({ items: [{ account: 'ada', role: 'admin' }], cursor: null }),
      'members.set': () => ({ ok: true }),
    },
    async (run, server) => {
      assert.match((await run('members')).out, /ada +admin/)
      assert.equal((await run('members add ben')).out, 'ben is developer from now on\n')
      assert.deepEqual(bodyOf(server, 'members.set'), { role: 'developer' })
      await run('members add ben --role viewer')
      assert.deepEqual(bodyOf(server, 'members.set'), { role: 'viewer' })
      assert.equal((await run('members remove ben')).out, 'ben is a member no more\n')
      assert.deepEqual(bodyOf(server, 'members.set'), { role: null })
      assert.equal((await run('members add ben --role boss')).exit, 64)
    },
  ))

test('the audit log says who changed what', () =>
  against(
    {
      'audit.list': () => ({
        items: [{ id: 2, at: '2026-07-01T12:00:00.000Z', by: 'ada', action: 'secret.set', target: 'shop/production', detail: { name: 'key' } }],
        cursor: null,
      }),
    },
    async (run) => {
      assert.match((await run('audit')).out, /ada +secret\.set +shop\/production/)
      assert.match((await run('audit -o wide')).out, /\{"name":"key"\}/)
    },
  ))

test('builds that differ are listed and end with 1', () =>
  against(
    {
      'build.verify': () => ({
        services: [
          { service: 'web', differs: ['dist/app.js'] },
          { service: 'api', differs: [] },
        ],
      }),
    },
    async (run) => {
      const { exit, out } = await run('build --verify https://git.example.com/shop')
      assert.deepEqual([exit, out], [1, '≠ web: 1 file differs\n    dist/app.js\n= api: both builds are the same\n'])
    },
  ))

test('events are the newest ones, oldest of them first, and may be followed from there', () => {
  const event = (id: number) => ({ id, at: AT, kind: 'x', text: `event ${id}`, app: 'shop', environment: 'production', service: null, release: null, data: {} })
  return against(
    {
      'events.list': ({ query }) => {
        const [newest, limit] = [Number(query['cursor'] ?? 450), Number(query['limit'])]
        const items = Array.from({ length: Math.min(limit, newest) }, (_, at) => event(newest - at))
        return { items, cursor: newest > limit ? String(newest - limit) : null }
      },
      'events.follow': async function* () {
        yield { event: 'x', data: event(451) }
      },
    },
    async (run, server) => {
      assert.deepEqual(
        (await run('events -n 2')).out
          .trim()
          .split('\n')
          .map((line) => line.split('  ').at(-1)),
        ['event 449', 'event 450'],
      )
      assert.equal(server.calls.filter((it) => it.route === 'events.list').length, 1, 'the whole history is not read for it')
      const many = (await run('events -n 430')).out.trim().split('\n')
      assert.deepEqual([many.length, many[0]?.split('  ').at(-1)], [430, 'event 21'])
      assert.match((await run('events -n 1 -f')).out, /event 450\n.*event 451\n$/)
      assert.equal(server.calls.at(-1)?.asked.headers['last-event-id'], '450')
    },
  )
})
