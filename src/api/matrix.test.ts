import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ROUTES, type RouteEntry, type RouteId, type Verb } from '../../packages/client/src/routes.ts'
import { apiApp } from './app.ts'
import { contextOf } from './context.ts'
import { FakeWorld, testOptions, VERBS_OF } from './testing.ts'

/** What each asker may do, written down by hand: the matrix below compares every route of the contract with it. */
const VIEW: readonly Verb[] = ['self', 'app:read', 'logs:read']
const DEVELOP: readonly Verb[] = [...VIEW, 'app:deploy', 'app:operate', 'app:scale', 'app:exec', 'config:write', 'secret:write', 'token:manage']
const MANAGE: readonly Verb[] = [...DEVELOP, 'app:remove', 'credential:write', 'member:manage', 'audit:read']
const INSTALLATION: readonly Verb[] = [...MANAGE, 'account:manage', 'tenant:manage', 'installation:read', 'installation:write']

const SHOP = { tenant: 'acme', app: 'shop', environment: 'production' }
const MARKER = 'only-acme-may-see-this'

const world = new FakeWorld()
const detail = world.addEnvironment(SHOP, {
  current: 1,
  tasks: {
    'e1-job': {
      kind: 'job',
      service: 'web',
      release: 1,
      name: 'nightly',
      argv: [MARKER],
      since: 0,
      timeoutMs: 1,
      outcome: 'succeeded',
      exit: null,
      lastLines: [MARKER],
    },
  },
})
world.addEnvironment({ ...SHOP, environment: 'staging' }, { current: 1 })
world.addEnvironment({ tenant: 'rivals', app: 'spy', environment: 'production' }, { current: 1 })
world.addRelease(SHOP, { notes: [MARKER], by: MARKER })
world.addRelease(SHOP, { notes: [MARKER] })
world.addEvent(SHOP, MARKER)
world.variables.set('acme/shop/production', { '*': { KEY: MARKER } })
world.lines.push({ time: 1, stream: 'out', text: MARKER, source: `${detail.id}-web-v1-1` })
const traced = { id: '4bf92f3577b34da6a3ce929d0e0e4736', at: 1, durationMs: 1, service: 'web', operation: MARKER, failed: false, spans: 1, services: ['web'] }
world.telemetry.addTrace(detail.id, { ...traced, orphans: 0, tree: [] })
world.kept.addTrace(detail.id, { ...traced, orphans: 0, tree: [] })
const logged = { service: 'web', release: 'v1', instance: 'e1-web-v1-1', severity: 9, trace: null, span: null, text: MARKER, attributes: null }
world.kept.addLog(detail.id, { atMs: world.ports().now(), ...logged })
world.kept.addSample(detail.id, {
  atMs: world.ports().now(),
  service: 'web',
  release: 'v1',
  instance: 'e1-web-v1-1',
  name: 'cart',
  unit: '',
  value: 1,
  count: null,
  attributes: { of: MARKER },
})
world.commands.push({ ref: SHOP, command: { kind: 'pause' } })

const tenants = (role: keyof typeof VERBS_OF, name = 'acme') => ({ tenants: { [name]: VERBS_OF[role] } })
const ASKERS = [
  { name: 'nobody', token: null, may: [] as readonly Verb[], else: 401 },
  { name: 'viewer', token: world.addToken(tenants('viewer')), may: VIEW, else: 403 },
  { name: 'developer', token: world.addToken(tenants('developer')), may: DEVELOP, else: 403 },
  { name: 'admin of the tenant', token: world.addToken(tenants('admin')), may: MANAGE, else: 403 },
  { name: 'admin of the installation', token: world.addToken({ admin: true, tenants: {} }), may: INSTALLATION, else: 403, header: 'acme' },
  {
    name: 'token for another environment',
    token: world.addToken({ ...tenants('admin'), environment: 'shop/staging' }),
    may: ['self'] as readonly Verb[],
    else: 403,
  },
]

const context = contextOf(world.ports(), testOptions())
const app = await apiApp(context)
after(() => {
  context.closing.abort()
  return app.close()
})

const IDS = Object.keys(ROUTES) as RouteId[]
const PARAMS: Readonly<Record<string, string>> = {
  ...SHOP,
  service: 'web',
  release: '1',
  other: '2',
  rollout: 'r1',
  command: '1',
  secret: 'key',
  follow: '1',
  notification: '1',
  job: 'nightly',
  task: 'e1-job',
  trace: '4bf92f3577b34da6a3ce929d0e0e4736',
  token: 'current',
  account: 'bob',
}
const SOURCE = { source: { kind: 'release', number: 1 } }
const BODIES: Partial<Record<RouteId, unknown>> = {
  'settings.update': { registration: 'closed' },
  'identity.login': { name: 'ann', password: 'correct horse' },
  'accounts.create': { name: 'new', password: 'long enough it is' },
  'accounts.password': { password: 'long enough it is' },
  'tokens.create': { label: 'ci', verbs: ['app:read'] },
  'tenants.create': { name: 'fresh' },
  'members.set': { role: 'viewer' },
  'services.scale': { replicas: 2 },
  'releases.create': SOURCE,
  'plan.create': SOURCE,
  'sources.app': { source: { kind: 'git', url: 'https://git.example.com/a.git' }, otherwise: 'a' },
  'build.verify': SOURCE,
  'promote.create': { from: 'staging' },
  'rollout.weight': { weight: 10 },
  'variables.update': { set: { KEY: 'x' } },
  'secrets.set': { value: 'x' },
  'objectives.set': { latencyP95: 250 },
  'credentials.set': { kind: 'token', urlPrefix: 'https://git.example.com/', value: 'x' },
  'notifications.create': { topics: ['verdict'], address: { kind: 'slack', url: `https://hooks.example.com/${MARKER}` } },
  'follow.create': { url: 'https://git.example.com/a.git', ref: 'main' },
  'tasks.create': { service: 'web', argv: ['ls'] },
}
const QUERIES: Partial<Record<RouteId, string>> = {
  'apps.remove': '?confirm=shop',
  'environments.remove': '?confirm=production',
  'credentials.remove': '?kind=token&urlPrefix=https%3A%2F%2Fgit.example.com%2F',
  'exec.open': '?service=web',
  'why.show': '?service=web',
  'samples.list': '?name=cart',
}
/** Streams that end only when their reader goes. */
const ENDLESS: readonly RouteId[] = ['logs.follow', 'events.follow']

async function ask(id: RouteId, token: string | null, tenant?: string): Promise<{ status: number; text: string }> {
  const entry: RouteEntry = ROUTES[id]
  const url = entry.path.replace(/\{(\w+)\}/g, (_, name: string) => PARAMS[name] as string) + (QUERIES[id] ?? '')
  const upload = entry.stream === 'upload'
  const headers = {
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(tenant === undefined ? {} : { 'weir-tenant': tenant }),
    ...(upload ? { 'content-type': 'application/x-tar' } : {}),
  }
  const body = upload ? 'tar' : BODIES[id]
  const response = await app.inject({
    method: entry.method,
    url,
    headers,
    ...(body === undefined ? {} : { payload: body as object | string }),
    payloadAsStream: true,
  })
  if (ENDLESS.includes(id) && response.statusCode === 200) {
    response.stream().destroy()
    return { status: 200, text: '' }
  }
  let text = ''
  for await (const chunk of response.stream()) text += String(chunk)
  return { status: response.statusCode, text }
}

for (const asker of ASKERS) {
  test(`${asker.name}: every route of the contract answers as the verbs say`, async () => {
    for (const id of IDS) {
      const { verb } = ROUTES[id] as RouteEntry
      const before = world.audit.length
      const { status, text } = await ask(id, asker.token, asker.header)
      if (verb === 'public') {
        assert.ok(id === 'accounts.create' ? status === 403 || status === 201 : status < 400, `${id}: ${status} ${text}`)
      } else if (asker.may.includes(verb)) {
        assert.ok(![401, 403].includes(status) && status < 500, `${asker.name} may ${id}, got ${status} ${text}`)
      } else if (asker.name === 'token for another environment' && NARROWED.includes(id)) {
        assert.equal(status < 400, true, `${id}: ${status} ${text}`)
        assert.ok(!text.includes(MARKER) && !text.includes('"production"'), `${id} shows another environment: ${text}`)
      } else {
        assert.equal(status, asker.else, `${asker.name} may not ${id}: ${text}`)
        assert.equal(world.audit.length, before, `${id} changed something for ${asker.name}`)
        assert.ok(!text.includes(MARKER), `${id} leaks`)
      }
    }
  })
}
/** Above its environment a bound token sees only what belongs to it. */
const NARROWED: readonly RouteId[] = [
  'apps.list',
  'apps.show',
  'environments.list',
  'events.list',
  'events.follow',
  'uploads.create',
  'sources.app',
  'metrics.show',
]

test('another tenant finds nothing, whether it asks as itself or names the tenant', async () => {
  const rival = world.addToken(tenants('admin', 'rivals'))
  for (const id of IDS) {
    const { path, verb } = ROUTES[id] as RouteEntry
    if (verb === 'public' || path === ROUTES['identity.whoami'].path) continue
    const before = world.audit.length
    const named = await ask(id, rival, 'acme')
    assert.ok(!named.text.includes(MARKER), `${id} leaks: ${named.text}`)
    if (verb === 'self') continue
    const installation = ['account:manage', 'tenant:manage', 'installation:read', 'installation:write'].includes(verb)
    assert.equal(named.status, installation ? 403 : 404, `${id}: ${named.text}`)
    assert.equal(world.audit.length, before, `${id} changed something`)
    // these speak of an environment that is not there yet
    const makes = id === 'apps.create' || id === 'environments.create' || id === 'plan.create'
    if (!path.includes('{app}') || makes) continue
    const own = await ask(id, rival)
    assert.equal(own.status, id === 'exec.open' ? 400 : 404, `${id}: ${own.text}`)
    assert.ok(!own.text.includes(MARKER), `${id} leaks`)
  }
})

test('what is missing and what is forbidden look the same to a stranger', async () => {
  const rival = world.addToken(tenants('viewer', 'rivals'))
  const of = async (name: string) => {
    const { statusCode, body } = await app.inject({ url: `/api/v1/apps/${name}`, headers: { authorization: `Bearer ${rival}` } })
    return { statusCode, body: body.replaceAll(name, 'X').replaceAll(/[0-9a-f]{16}/g, 'ID') }
  }
  assert.deepEqual(await of('shop'), await of('nope'))
})
