import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Credential } from './credentials.ts'
import type { RepositoryUrl } from './repository-url.ts'

/** What git may not be without on the way out; nothing else of Weir's own environment reaches it. */
const PASSED_ON = ['PATH', 'LANG', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_SSL_CAINFO', 'https_proxy', 'HTTPS_PROXY', 'no_proxy', 'NO_PROXY']

/** Settings that hold for every git that Weir starts, whatever a repository or an account brings along. */
const SETTINGS = {
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'core.symlinks': 'true',
  'protocol.ext.allow': 'never',
  'submodule.recurse': 'false',
  'fetch.recurseSubmodules': 'false',
  'fetch.writeCommitGraph': 'false',
  'transfer.fsckObjects': 'true',
  // Old histories are full of these; they are no danger to a bare mirror.
  'fetch.fsck.zeroPaddedFilemode': 'ignore',
  'fetch.fsck.missingSpaceBeforeDate': 'ignore',
  'fetch.fsck.badTimezone': 'ignore',
  'gc.auto': '0',
  'maintenance.auto': 'false',
  // A redirect could carry a credential to another host, or lead to an address that was refused.
  'http.followRedirects': 'false',
  'http.lowSpeedLimit': '1000',
  'http.lowSpeedTime': '60',
} as const

/** The environment in which git runs on local files only. */
export function gitEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const env: Record<string, string> = {}
  for (const name of PASSED_ON) {
    const value = process.env[name]
    if (value !== undefined) env[name] = value
  }
  const settings = Object.entries(SETTINGS)
  env['GIT_CONFIG_COUNT'] = String(settings.length)
  settings.forEach(([key, value], n) => {
    env[`GIT_CONFIG_KEY_${n}`] = key
    env[`GIT_CONFIG_VALUE_${n}`] = value
  })
  return {
    ...env,
    HOME: '/nonexistent',
    LC_ALL: 'C', // errors are recognised by their text
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    SSH_ASKPASS: '/bin/false',
    GIT_ALLOW_PROTOCOL: 'https:ssh:file',
    GIT_NO_LAZY_FETCH: '1',
    GIT_OPTIONAL_LOCKS: '0',
    ...more,
  }
}

/** The start of every session folder's name, so that one left by a killed server is found and removed. */
export const SESSION_PREFIX = '.session-'

/**
 * Calls `use` with the environment in which git may talk to `url`: credentials, known hosts and what is specific to the address lie
 * in a folder of their own (mode 0700) that is removed afterwards. `addresses` are those that the host may be reached at.
 */
export async function withGitSession<T>(
  parent: string,
  url: RepositoryUrl,
  credential: Credential | null,
  addresses: readonly string[],
  use: (env: Record<string, string>) => Promise<T>,
): Promise<T> {
  await mkdir(parent, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(join(parent, SESSION_PREFIX))
  try {
    const config = join(folder, 'config')
    await writeFile(config, await configOf(url, credential, addresses), { mode: 0o600 })
    const more: Record<string, string> = { HOME: folder, GIT_CONFIG_GLOBAL: config }
    if (url.kind === 'ssh') Object.assign(more, await sshEnvironment(folder, url, credential, addresses))
    return await use(gitEnvironment(more))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function configOf(url: RepositoryUrl, credential: Credential | null, addresses: readonly string[]): Promise<string> {
  const lines: string[] = []
  if (url.kind === 'file') {
    // git trusts only repositories of its own account; whoever may name a local path here has vouched for this one.
    lines.push('[safe]', ...[url.path, join(url.path, '.git')].map((path) => `\tdirectory = ${quoted(path)}`))
  }
  if (url.kind === 'https') {
    if (addresses.length > 0) lines.push('[http]', `\tcurloptResolve = ${quoted(`${url.host}:${url.port}:${addresses.join(',')}`)}`)
    if (credential?.kind === 'token') {
      const basic = Buffer.from(`${credential.user}:${credential.token}`).toString('base64')
      lines.push(`[http ${quoted(`https://${url.host}:${url.port}/`)}]`, `\textraHeader = ${quoted(`Authorization: Basic ${basic}`)}`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** git starts the program in GIT_SSH by argv, so the options stand in a file of ours and nothing of the address meets a shell. */
async function sshEnvironment(
  folder: string,
  url: Extract<RepositoryUrl, { kind: 'https' | 'ssh' }>,
  credential: Credential | null,
  addresses: readonly string[],
): Promise<Record<string, string>> {
  const program = join(folder, 'ssh')
  const key = join(folder, 'key')
  const knownHosts = join(folder, 'known_hosts')
  const ssh = credential?.kind === 'ssh' ? credential : null
  await writeFile(key, ssh ? `${ssh.privateKey.trimEnd()}\n` : '', { mode: 0o600 })
  await writeFile(knownHosts, ssh ? `${ssh.knownHosts.trimEnd()}\n` : '', { mode: 0o600 })
  const options = [
    '-oBatchMode=yes',
    '-oStrictHostKeyChecking=yes',
    '-oGlobalKnownHostsFile=/dev/null',
    '-oIdentitiesOnly=yes',
    '-oIdentityAgent=none',
    '-oConnectTimeout=20',
    '-oServerAliveInterval=15',
  ]
  const alias = url.port === 22 ? url.host : `[${url.host}]:${url.port}`
  const pinned = addresses[0] === undefined ? '' : `-o"HostName=${addresses[0]}" -o"HostKeyAlias=${alias}" -oCheckHostIP=no `
  const script = `#!/bin/sh\nexec ${hasName() ? '' : `${AS_NOBODY} `}ssh -F /dev/null ${options.join(' ')} ${pinned}-o"UserKnownHostsFile=\\"$WEIR_GIT_SESSION/known_hosts\\"" -i "$WEIR_GIT_SESSION/key" "$@"\n`
  await writeFile(program, script, { mode: 0o700 })
  await access(program, constants.X_OK)
  return { GIT_SSH: program, GIT_SSH_VARIANT: 'ssh', WEIR_GIT_SESSION: folder }
}

/** ssh will not run for an account without a name: in a namespace of its own the same account is called nobody. What the kernel allows it stays the same. */
const AS_NOBODY = 'unshare --user --map-user=65534 --map-group=65534 --'

function hasName(): boolean {
  try {
    return userInfo().username !== ''
  } catch {
    return false // a number of ours, that is in no user database
  }
}

/** A value of git's configuration format. Control characters were refused with the address, and are refused here again. */
function quoted(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(value)) throw new Error('a control character in a git setting')
  return `"${value.replace(/[\\"]/g, (it) => `\\${it}`)}"`
}
