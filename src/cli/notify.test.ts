import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AT } from './fixtures.ts'
import { fakeServer, type Handlers, type Ran, weir } from './testing.ts'

const target = { id: 3, app: 'shop', environment: null, kind: 'slack', place: 'hooks.slack.com', topics: ['verdict'], by: 'ann', at: AT }
const counts = { waiting: 2, dead: 1, problem: 'it answered 500', deliveredAt: null }
const delivery = { id: 'd1', topic: 'test', title: 'Weir: a test message', tries: 1, at: AT, nextAt: null, endedAt: AT }

async function run(handlers: Handlers, argv: readonly string[], stdin = ''): Promise<Ran & { readonly bodies: readonly unknown[] }> {
  const server = await fakeServer(handlers)
  try {
    const ran = await weir(server, argv, { env: { WEIR_APP: 'shop' }, stdin })
    return { ...ran, bodies: server.calls.map(({ asked }) => asked.body) }
  } finally {
    await server.close()
  }
}
const create: Handlers = { 'notifications.create': () => ({ ...target, ...counts }) }

test('secrets come by standard input: a webhook of Slack, what one of our own is signed with, a password', async () => {
  const slack = await run(create, ['notify', 'add', 'slack', '--on', 'verdict,rollback', '-e', 'production'], 'https://hooks.slack.com/T0/x\n')
  const address = { kind: 'slack', url: 'https://hooks.slack.com/T0/x' }
  assert.deepEqual(slack.bodies, [{ app: 'shop', environment: 'production', topics: ['verdict', 'rollback'], address }])
  assert.match(slack.out, /^3: hooks\.slack\.com is told of verdict of shop\n$/)

  const own = await run(create, ['notify', 'add', 'webhook', 'https://ci.example.com/weir', '--all-apps'], 'a-secret-of-24-characters\n')
  assert.deepEqual(own.bodies, [
    {
      app: null,
      environment: null,
      topics: ['started', 'verdict', 'rollback', 'approval', 'promoted', 'stuck'],
      address: { kind: 'webhook', url: 'https://ci.example.com/weir', secret: 'a-secret-of-24-characters' },
    },
  ])

  const smtp = ['--to', 'ann@example.com,bob@example.com', '--from', 'weir@example.com', '--smtp', 'smtps://weir@mail.example.com']
  const email = await run(create, ['notify', 'add', 'email', ...smtp], 'swordfish\n')
  const [{ address: box } = { address: null }] = email.bodies as { address: unknown }[]
  assert.deepEqual(box, {
    kind: 'email',
    host: 'mail.example.com',
    port: 465,
    security: 'tls',
    login: { user: 'weir', password: 'swordfish' },
    from: 'weir@example.com',
    to: ['ann@example.com', 'bob@example.com'],
  })
})

test('what cannot be told is refused before anything is asked', async () => {
  for (const [line, says] of [
    ['notify add pager', /slack, webhook, email/],
    ['notify add slack --on verdicts', /there are started, verdict/],
    ['notify add webhook', /where is the webhook/],
    ['notify add email --to a@example.com --smtp smtp://weir:swordfish@mail.example.com', /no password in it/],
    ['notify reach moon', /internet, the network, the machine/],
    ['notify test x', /is no id/],
  ] as const) {
    const { exit, err, bodies } = await run({}, line.split(' '), 'x')
    assert.equal(exit, 64, line)
    assert.match(err, says)
    assert.doesNotMatch(err, /swordfish/)
    assert.deepEqual(bodies, [])
  }
})

test('the list says what waits, what was given up and why', async () => {
  const { out } = await run({ 'notifications.list': () => ({ items: [{ ...target, ...counts }], cursor: null }) }, ['notify'])
  assert.match(out, /3 +slack +hooks\.slack\.com +shop +verdict +- +2 +1 +it answere/)
})

test('a test waits for what comes of it and fails with the cause', async () => {
  let looks = 0
  const after = (outcome: string, cause: string | null): Handlers => ({
    'notifications.test': () => ({ delivery: 'd1' }),
    'notifications.deliveries': () => ({ items: [{ ...delivery, outcome: looks++ === 0 ? 'waiting' : outcome, cause }], cursor: null }),
  })
  assert.equal((await run(after('delivered', null), ['notify', 'test', '3'])).out, 'it was taken\n')
  looks = 0
  const failed = await run(after('dead', 'it answered 404'), ['notify', 'test', '3'])
  assert.equal(failed.exit, 1)
  assert.match(failed.err, /the test message was not taken[\s\S]*it answered 404/)
})
