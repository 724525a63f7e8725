import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { stdinValue } from './frame/stdin-value.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'
import { agoText } from './output/units.ts'

/** Keeps a token, a deploy key or host keys for all repositories whose address begins like this. */
export async function set(session: Session): Promise<undefined> {
  const kind = kindOf(session)
  const urlPrefix = urlPrefixOf(session.args[0] ?? '', kind)
  const secret = await stdinValue(session, `${kind} for ${urlPrefix}`, kind !== 'token')
  const user = session.text('user')
  const client = await session.client()
  const value = kind === 'token' && user !== undefined ? `${user}:${secret}` : secret
  await session.print(await client.call('credentials.set', { body: { kind, urlPrefix, value } }), () => [`kept for repositories below ${urlPrefix}`])
}

export async function list(session: Session): Promise<undefined> {
  const client = await session.client()
  const credentials = await everyPage((cursor) => client.call('credentials.list', { query: { limit: 200, ...cursor } }))
  const now = session.terminal.now()
  await showTable(
    session,
    credentials,
    [
      { title: 'KIND', value: (it) => it.kind },
      { title: 'REPOSITORIES', value: (it) => escapeControl(it.urlPrefix) },
      { title: 'VALUE', value: () => '«hidden»' },
      { title: 'SET', value: (it) => `${agoText(Date.parse(it.at), now)} by ${escapeControl(it.by)}` },
    ],
    'none; next: weir credentials set HOST < token',
  )
}

export async function remove(session: Session): Promise<undefined> {
  const kind = kindOf(session)
  const urlPrefix = urlPrefixOf(session.args[0] ?? '', kind)
  const client = await session.client()
  await session.print(await client.call('credentials.remove', { query: { kind, urlPrefix } }), () => [`the ${kind} for ${urlPrefix} is forgotten`])
}

type Kind = 'token' | 'deploy-key' | 'known-hosts'

function kindOf(session: Session): Kind {
  if (session.flag('sshKey') && session.flag('knownHosts')) throw usage('it is either --ssh-key or --known-hosts')
  if (session.flag('sshKey')) return 'deploy-key'
  return session.flag('knownHosts') ? 'known-hosts' : 'token'
}

/**
 * A host alone means all of its repositories, by the protocol that the credential is for.
 *
 * @example urlPrefixOf('git.example.com', 'token') // 'https://git.example.com/'
 * @example urlPrefixOf('git@git.example.com:team/', 'deploy-key') // 'ssh://git@git.example.com/team/'
 */
export function urlPrefixOf(text: string, kind: Kind): string {
  if (/^(https|ssh):\/\/\S+$/.test(text)) return text
  const [, user = 'git', host, path = ''] = /^(?:([^@/\s]+)@)?([a-z0-9][-a-z0-9.]*)(?::(\S*))?$/i.exec(text) ?? []
  if (host === undefined)
    throw usage(`"${escapeControl(text)}" names no host and no repository`, undefined, 'git.example.com, or the address of a repository there')
  return kind === 'token' ? `https://${host}/${path}` : `ssh://${user}@${host}/${path}`
}
