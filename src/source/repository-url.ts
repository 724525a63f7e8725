import { WeirError } from '../errors.ts'

/** A repository's address after every check; `url` is what git is given. */
export type RepositoryUrl =
  | { readonly kind: 'https' | 'ssh'; readonly url: string; readonly host: string; readonly port: number }
  | { readonly kind: 'file'; readonly url: string; readonly path: string }

const MAX_LENGTH = 2048
const HOST = /^(?!-)[a-z0-9.-]+$|^\[[0-9a-f:.]+\]$/i
const USER = /^[a-z_][a-z0-9_.-]*$/i
/** `git@host:team/app.git`; a host has no `/` before its colon. */
const SCP = /^(?:([^@/\s]+)@)?([^:/\s@]+):(?!\/\/)(\S+)$/

/**
 * Reads a repository's address: `https://`, `ssh://`, `file://`, a path, or `user@host:path`. Everything else is refused here,
 * before git sees it: other protocols, remote helpers (`ext::…`), whatever looks like an option, and credentials in the address.
 *
 * @example parseRepositoryUrl('git@example.com:team/app.git') // { kind: 'ssh', url: 'ssh://git@example.com/team/app.git', … }
 * @example parseRepositoryUrl('--upload-pack=touch /tmp/x') // throws E_SOURCE_URL
 */
export function parseRepositoryUrl(text: string): RepositoryUrl {
  if (text === '' || text.length > MAX_LENGTH) throw refused(text, text === '' ? 'it is empty' : 'it is too long')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u0020\u007f]/.test(text)) throw refused(text, 'it has a blank or control character')
  if (text.startsWith('-')) throw refused(text, 'it looks like an option of git')
  if (text.startsWith('/')) return fileUrl(text, text)
  if (/^[a-z][a-z0-9+.-]*::/i.test(text)) throw refused(text, 'remote helpers are not followed')
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return scpUrl(text)
  if (scheme === 'file') return fileUrl(text, decode(text, text.slice('file://'.length)))
  if (scheme !== 'https' && scheme !== 'ssh') throw refused(text, `${scheme}:// is not followed`)
  return networkUrl(text, scheme)
}

function networkUrl(text: string, kind: 'https' | 'ssh'): RepositoryUrl {
  if (!/^[a-z]+:\/\/[^/\\]/i.test(text)) throw refused(text, 'it has no host')
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw refused(text, 'it is malformed')
  }
  if (url.password !== '' || (kind === 'https' && url.username !== '')) {
    throw new WeirError('E_SOURCE_URL', {
      message: `the address of ${url.hostname} holds credentials`,
      cause: 'an address is shown in lists and logs; user, password and token do not belong in it',
      next: 'store them as a credential of the repository, and give the address without them',
    })
  }
  if (url.hostname === '' || !HOST.test(url.hostname)) throw refused(text, 'its host is malformed')
  if (url.username !== '' && !USER.test(url.username)) throw refused(text, 'its user is malformed')
  if (url.search !== '' || url.hash !== '') throw refused(text, 'it has a query or fragment')
  const path = decode(text, url.pathname)
  if (path === '/' || path.split('/').some((part) => part === '..' || part.startsWith('-'))) throw refused(text, 'its path is malformed')
  const port = url.port === '' ? (kind === 'https' ? 443 : 22) : Number(url.port)
  const at = `${url.username === '' ? '' : `${url.username}@`}${url.host}`
  return { kind, url: `${kind}://${at}${url.pathname}`, host: url.hostname, port }
}

function scpUrl(text: string): RepositoryUrl {
  const [, user, host, path] = SCP.exec(text) ?? []
  if (host === undefined || path === undefined) throw refused(text, 'it is neither https://, ssh://, file:// nor user@host:path')
  if (host.startsWith('-')) throw refused(text, 'its host looks like an option')
  return networkUrl(`ssh://${user === undefined ? '' : `${user}@`}${host}/${path.replace(/^\/+/, '')}`, 'ssh')
}

function fileUrl(text: string, path: string): RepositoryUrl {
  if (!path.startsWith('/') || path.split('/').includes('..')) throw refused(text, 'a local repository needs an absolute path')
  return { kind: 'file', url: `file://${path}`, path }
}

function decode(text: string, path: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(path)
  } catch {
    throw refused(text, 'it is malformed')
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(decoded)) throw refused(text, 'it has a control character')
  return decoded
}

/** The address as far as it is safe to show: without what stands before an `@`, without control characters, short. */
export function shownUrl(text: string): string {
  const shown = text.replace(/\/\/[^/]*@/, '//').replace(/[^\x20-\x7e]/g, '?')
  return shown.length > 200 ? `${shown.slice(0, 197)}...` : shown
}

function refused(text: string, cause: string): WeirError {
  return new WeirError('E_SOURCE_URL', {
    message: `cannot follow ${text === '' ? 'an empty address' : `"${shownUrl(text)}"`}`,
    cause,
    next: 'use https://host/team/app.git or git@host:team/app.git',
  })
}
