import { setTimeout as sleep } from 'node:timers/promises'
import type { RequestOf, ResponseOf } from '../../packages/client/src/types.ts'
import { TOPICS } from '../core/notify/topics.ts'
import { WeirError } from '../errors.ts'
import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { stdinValue } from './frame/stdin-value.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'
import { agoText } from './output/units.ts'

type Address = RequestOf<'notifications.create'>['body']['address']
type Topic = (typeof TOPICS)[number]

const KINDS = ['slack', 'webhook', 'email'] as const
const REACHES = ['internet', 'network', 'machine'] as const
const TEST_WITHIN_MS = 30_000
const LOOK_EVERY_MS = 300

/** Slack's address, a webhook's secret and a mailbox's password come by standard input, never on the command line. */
export async function add(session: Session): Promise<undefined> {
  const kind = KINDS.find((it) => it === session.args[0])
  if (kind === undefined) throw usage(`tell by ${KINDS.join(', ')}?`, undefined, 'weir notify add slack < webhook.url')
  const topics = topicsOf(session.text('on'))
  const place = await placeOf(session)
  const address = await ADDRESSES[kind](session)
  const client = await session.client()
  const target = await client.call('notifications.create', { body: { ...place, topics, address } })
  await session.print(target, () => [`${target.id}: ${escapeControl(target.place)} is told of ${target.topics.join(', ')} of ${placeText(target)}`])
  session.note(`next  weir notify test ${target.id}`)
}

export async function list(session: Session): Promise<undefined> {
  const client = await session.client()
  const targets = await everyPage((cursor) => client.call('notifications.list', { query: { limit: 200, ...cursor } }))
  const now = session.terminal.now()
  await showTable(
    session,
    targets,
    [
      { title: 'ID', value: (it) => String(it.id) },
      { title: 'KIND', value: (it) => it.kind },
      { title: 'WHERE', value: (it) => escapeControl(it.place) },
      { title: 'OF', value: placeText },
      { title: 'ON', value: (it) => (it.topics.length === TOPICS.length ? 'all' : it.topics.join(',')) },
      { title: 'TAKEN', value: (it) => (it.deliveredAt === null ? '-' : agoText(Date.parse(it.deliveredAt), now)) },
      { title: 'WAITING', value: (it) => String(it.waiting) },
      { title: 'GIVEN UP', value: (it) => String(it.dead) },
      { title: 'PROBLEM', flexible: true, value: (it) => escapeControl(it.problem ?? '') },
    ],
    'none; next: weir notify add slack < webhook.url',
  )
}

/** What was said to a target, newest first; what was given up stays for 90 days. */
export async function deliveries(session: Session): Promise<undefined> {
  const client = await session.client()
  const params = { notification: idOf(session) }
  const { items } = await client.call('notifications.deliveries', { params, query: { limit: session.count('lines') ?? 50 } })
  const now = session.terminal.now()
  await showTable(
    session,
    items,
    [
      { title: 'AT', value: (it) => agoText(Date.parse(it.at), now) },
      { title: 'MESSAGE', value: (it) => escapeControl(it.title) },
      { title: 'OUTCOME', value: (it) => (it.outcome === 'dead' ? 'given up' : it.outcome) },
      { title: 'TRIES', value: (it) => String(it.tries) },
      { title: 'CAUSE', flexible: true, value: (it) => escapeControl(it.cause ?? '') },
      { title: 'ID', wide: true, value: (it) => it.id },
    ],
    'nothing was said yet; next: weir notify test ID',
  )
}

/** Sends one message and waits for what comes of it. */
export async function test(session: Session): Promise<undefined> {
  const client = await session.client()
  const params = { notification: idOf(session) }
  const { delivery } = await client.call('notifications.test', { params })
  const end = performance.now() + TEST_WITHIN_MS
  for (;;) {
    const { items } = await client.call('notifications.deliveries', { params, query: { limit: 50 } })
    const it = items.find(({ id }) => id === delivery)
    if (it?.outcome === 'delivered') {
      await session.print(it, () => ['it was taken'])
      return
    }
    if (it?.outcome === 'dead')
      throw new WeirError('E_NOT_DELIVERED', {
        message: 'the test message was not taken',
        cause: it.cause ?? 'the target did not take it',
        state: 'the target stays as it is; other messages are tried again for a day',
        next: 'weir notify list',
      })
    if (performance.now() > end)
      throw new WeirError('E_TIMEOUT', { message: 'no word of the test message yet', next: `weir notify deliveries ${params.notification}` })
    await sleep(LOOK_EVERY_MS)
  }
}

export async function remove(session: Session): Promise<undefined> {
  const client = await session.client()
  await session.print(await client.call('notifications.remove', { params: { notification: idOf(session) } }), () => ['told no more'])
}

/** Whether messages may be sent to private networks, or to this very machine. */
export async function reach(session: Session): Promise<undefined> {
  const client = await session.client()
  const [wanted] = session.args
  const notifyReach = REACHES.find((it) => it === wanted)
  if (wanted !== undefined && notifyReach === undefined) throw usage(`messages may reach the ${REACHES.join(', the ')}`)
  const settings = notifyReach === undefined ? await client.call('settings.show', {}) : await client.call('settings.update', { body: { notifyReach } })
  await session.print(settings, () => [REACH_TEXTS[settings.notifyReach]])
}

const REACH_TEXTS = {
  internet: 'messages are sent to public addresses only',
  network: 'messages are sent to public addresses and private networks',
  machine: 'messages are sent to public addresses, private networks and this machine',
} as const

const ADDRESSES: Readonly<Record<(typeof KINDS)[number], (session: Session) => Promise<Address>>> = {
  slack: async (session) => ({ kind: 'slack', url: (await stdinValue(session, 'address of the incoming webhook')).trim() }),
  webhook: async (session) => {
    const [, url] = session.args
    if (url === undefined) throw usage('where is the webhook?', undefined, 'weir notify add webhook https://ci.example.com/weir < webhook.secret')
    return { kind: 'webhook', url, secret: (await stdinValue(session, 'secret to sign with (at least 24 characters)')).trim() }
  },
  email: async (session) => {
    const to = session.text('to')?.split(',') ?? []
    const { host, port, security, user } = serverOf(session.text('smtp'))
    const from = session.text('from') ?? user
    if (to.length === 0 || from === null) throw usage('from whom, and to whom?', undefined, EMAIL)
    const login = user === null ? null : { user, password: await stdinValue(session, `password of ${escapeControl(user)} at ${host}`) }
    return { kind: 'email', host, port, security, login, from, to }
  },
}
const EMAIL = 'weir notify add email --to ops@example.com --from weir@example.com --smtp smtp://USER@mail.example.com < password'

/** `smtps:` is TLS from the first byte (465), `smtp:` with STARTTLS (587). A password in it is refused: every user of the machine reads it there. */
function serverOf(text: string | undefined) {
  const [, scheme, user, host, port] = /^(smtps?):\/\/(?:([^\s:/]+)@)?([^\s:/@]+)(?::(\d{1,5}))?\/?$/.exec(text ?? '') ?? []
  if (host === undefined) throw usage('by which mail server?', 'its address has no password in it', EMAIL)
  const security = scheme === 'smtps' ? ('tls' as const) : ('starttls' as const)
  return { host, port: Number(port ?? (scheme === 'smtps' ? 465 : 587)), security, user: user === undefined ? null : decodeURIComponent(user) }
}

function topicsOf(text: string | undefined): Topic[] {
  if (text === undefined) return [...TOPICS]
  return text.split(',').map((word) => {
    const topic = TOPICS.find((it) => it === word.trim())
    if (topic === undefined) throw usage(`"${escapeControl(word)}" is nothing to be told of`, `there are ${TOPICS.join(', ')}`)
    return topic
  })
}

/** The app that is meant, with all of its environments unless one is named. */
async function placeOf(session: Session): Promise<{ app: string | null; environment: string | null }> {
  if (session.flag('allApps')) return { app: null, environment: null }
  const { app } = await session.app()
  return { app, environment: session.text('env') ?? null }
}

function placeText({ app, environment }: Pick<ResponseOf<'notifications.create'>, 'app' | 'environment'>): string {
  return app === null ? 'all apps' : `${app}${environment === null ? '' : `/${environment}`}`
}

function idOf(session: Session): number {
  const [id = ''] = session.args
  if (!/^[1-9]\d{0,9}$/.test(id)) throw usage(`"${escapeControl(id)}" is no id`, undefined, 'weir notify list')
  return Number(id)
}
