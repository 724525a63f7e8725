import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { stdinValue } from './frame/stdin-value.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'
import { agoText } from './output/units.ts'

/** Keeps a token, a deploy key or host keys for all repositories of a host. */
export async function set(session: Session): Promise<undefined> {
  const host = hostOf(session.args[0] ?? '')
  const kind = kindOf(session)
  const value = await stdinValue(session, `${kind} of ${host}`, kind !== 'token')
  const client = await session.client()
  const username = session.text('user')
  const body = kind === 'token' ? { kind, host, value, ...(username === undefined ? {} : { username }) } : { kind, host, value }
  const credential = await client.call('credentials.set', { params: { credential: credentialName(host, kind) }, body })
  await session.print(credential, () => [`${credential.name} is kept for ${host}`])
}

export async function list(session: Session): Promise<undefined> {
  const client = await session.client()
  const credentials = await everyPage((cursor) => client.call('credentials.list', { query: { limit: 200, ...cursor } }))
  const now = session.terminal.now()
  await showTable(
    session,
    credentials,
    [
      { title: 'CREDENTIAL', value: (it) => it.name },
      { title: 'KIND', value: (it) => it.kind },
      { title: 'HOST', value: (it) => escapeControl(it.host) },
      { title: 'SET', value: (it) => agoText(Date.parse(it.updatedAt), now) },
    ],
    'none; next: weir credentials set HOST < token',
  )
}

export async function remove(session: Session): Promise<undefined> {
  const [credential = ''] = session.args
  const client = await session.client()
  await session.print(await client.call('credentials.remove', { params: { credential } }), () => [`${credential} is forgotten`])
}

type Kind = 'token' | 'deploy-key' | 'known-hosts'

function kindOf(session: Session): Kind {
  if (session.flag('sshKey') && session.flag('knownHosts')) throw usage('standard input is either --ssh-key or --known-hosts')
  if (session.flag('sshKey')) return 'deploy-key'
  return session.flag('knownHosts') ? 'known-hosts' : 'token'
}

/** @example hostOf('git@git.example.com:team/shop.git') // 'git.example.com' */
export function hostOf(text: string): string {
  const host = URL.canParse(text) && text.includes('://') ? new URL(text).hostname : (/^(?:[^@/\s]+@)?([^:/\s]+)(?::\S*)?$/.exec(text)?.[1] ?? '')
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/i.test(host)) throw usage(`"${escapeControl(text)}" names no host`, undefined, 'git.example.com, or the address of a repository there')
  return host.toLowerCase()
}

function credentialName(host: string, kind: Kind): string {
  return `${kind}-${host}`.replace(/[^a-z0-9]+/g, '-').slice(0, 40).replace(/-$/, '')
}
