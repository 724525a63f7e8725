import { VERBS } from '../../packages/client/src/routes.ts'
import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { durationMs } from './frame/wait.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'
import { agoText } from './output/units.ts'

const DAY_MS = 86_400_000
const MAX_DAYS = 90

/** A token for a program; -a and -e narrow it down. Printed this once. */
export async function create(session: Session): Promise<undefined> {
  const expires = session.text('expires')
  const [app, environment, verbs] = [session.text('app'), session.text('env'), verbsOf(session.text('verbs'))]
  const body = {
    label: session.args[0] ?? 'token',
    ...(app === undefined ? {} : { app }),
    ...(environment === undefined ? {} : { environment }),
    ...(verbs === null ? {} : { verbs }),
    ...(expires === undefined ? {} : { days: daysOf(expires) }),
  }
  const client = await session.client()
  const { token, secret } = await client.call('tokens.create', { body })
  session.note(`token ${token.id}, until ${token.expiresAt.slice(0, 10)}; it is shown only now:`)
  await session.print({ token, secret }, () => [secret])
}

export async function list(session: Session): Promise<undefined> {
  const client = await session.client()
  const tokens = await everyPage((cursor) => client.call('tokens.list', { query: { limit: 200, ...cursor } }))
  const now = session.terminal.now()
  await showTable(
    session,
    tokens,
    [
      { title: 'ID', value: (it) => it.id },
      { title: 'LABEL', value: (it) => escapeControl(it.label) },
      { title: 'ONLY', value: (it) => [it.app, it.environment].filter(Boolean).join('/') || '-' },
      { title: 'MAY', value: (it) => it.verbs?.join(' ') ?? 'all its account may' },
      { title: 'USED', value: (it) => (it.lastUsedAt === null ? 'never' : agoText(Date.parse(it.lastUsedAt), now)) },
      { title: 'UNTIL', value: (it) => it.expiresAt.slice(0, 10) },
    ],
    'no tokens',
  )
}

export async function revoke(session: Session): Promise<undefined> {
  const [token = ''] = session.args
  const client = await session.client()
  await session.print(await client.call('tokens.revoke', { params: { token } }), () => [`${escapeControl(token)} is useless from now on`])
}

function verbsOf(text: string | undefined): (typeof VERBS)[number][] | null {
  if (text === undefined) return null
  return text.split(',').map((word) => {
    const verb = VERBS.find((it) => it === word.trim())
    if (verb === undefined) throw usage(`"${escapeControl(word)}" is nothing that a token may be allowed`, `known are ${VERBS.join(', ')}`)
    return verb
  })
}

function daysOf(text: string): number {
  const days = Math.ceil(durationMs('--expires', text) / DAY_MS)
  if (days < 1 || days > MAX_DAYS) throw usage(`--expires ${escapeControl(text)} is out of range`, `a token lives from 1 to ${MAX_DAYS} days`)
  return days
}
