import type { RequestOf } from '../../packages/client/src/types.ts'
import { appContext } from './frame/context.ts'
import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { durationMs } from './frame/wait.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'

type NewToken = RequestOf<'tokens.create'>['body']

const DAY_MS = 86_400_000
const MAX_DAYS = 90

/** A token for a program; with -a (and -e) it works in that environment only. Printed this once. */
export async function create(session: Session): Promise<undefined> {
  const body: NewToken = {
    label: session.args[0] ?? 'token',
    ...(await placeOf(session)),
    ...verbsOf(session.text('verbs')),
    ...daysOf(session.text('expires')),
  }
  const client = await session.client()
  const token = await client.call('tokens.create', { body })
  session.note(`token ${token.id}, for ${token.expiresInDays} days; it is shown only now:`)
  await session.print(token, () => [token.secret])
}

export async function list(session: Session): Promise<undefined> {
  const client = await session.client()
  const tokens = await everyPage((cursor) => client.call('tokens.list', { query: { limit: 200, ...cursor } }))
  await showTable(
    session,
    tokens,
    [
      { title: 'ID', value: (it) => String(it.id) },
      { title: 'LABEL', value: (it) => escapeControl(it.label) },
      { title: 'ACCOUNT', wide: true, value: (it) => it.account ?? '-' },
      { title: 'ONLY', value: (it) => it.environment ?? '-' },
      { title: 'UNTIL', value: (it) => (it.revokedAt === null ? it.expiresAt.slice(0, 10) : 'revoked') },
      { title: 'MAY', flexible: true, value: (it) => it.verbs?.join(' ') ?? 'all its account may' },
    ],
    'no tokens',
  )
}

export async function revoke(session: Session): Promise<undefined> {
  const [token = ''] = session.args
  const client = await session.client()
  await session.print(await client.call('tokens.revoke', { params: { token } }), () => [`token ${escapeControl(token)} is useless from now on`])
}

/** Only flags narrow a token: a folder that happens to be linked says nothing about what a program may reach. */
async function placeOf(session: Session): Promise<Pick<NewToken, 'environment'>> {
  const app = session.text('app')
  if (app === undefined) {
    if (session.text('env') !== undefined) throw usage('-e narrows a token only together with -a')
    return {}
  }
  const context = await appContext({ terminal: session.terminal, app, environment: session.text('env'), client: () => session.client() })
  return { environment: `${context.app}/${context.environment}` }
}

/** The server knows which verbs there are and says so when one is not among them. */
function verbsOf(text: string | undefined): Pick<NewToken, 'verbs'> {
  return text === undefined ? {} : { verbs: text.split(',').map((verb) => verb.trim()) as NonNullable<NewToken['verbs']> }
}

function daysOf(text: string | undefined): Pick<NewToken, 'days'> {
  if (text === undefined) return {}
  const days = Math.ceil(durationMs('--expires', text) / DAY_MS)
  if (days < 1 || days > MAX_DAYS) throw usage(`--expires ${escapeControl(text)} is out of range`, `a token lives from 1 to ${MAX_DAYS} days`)
  return { days }
}
