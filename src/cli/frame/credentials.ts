import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { WeirError } from '../../errors.ts'

/** One token a server, in the user's config folder; the newest login is the default server. */
export interface Credentials {
  readonly server: string | null
  readonly tokens: Readonly<Record<string, string>>
}

const NOBODY: Credentials = { server: null, tokens: {} }

/** `$XDG_CONFIG_HOME/weir/credentials.json`, else below `~/.config`. */
export function credentialsFile(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_CONFIG_HOME'] ?? join(env['HOME'] ?? homedir(), '.config'), 'weir', 'credentials.json')
}

/** Refuses a file that others may read: the token in it would be theirs too. */
export function readCredentials(env: NodeJS.ProcessEnv): Credentials {
  const file = credentialsFile(env)
  const mode = modeOf(file)
  if (mode === null) return NOBODY
  if ((mode & 0o077) !== 0) {
    throw new WeirError('E_STATE', {
      message: 'the file with your token can be read by others',
      cause: `${file} has mode ${(mode & 0o777).toString(8).padStart(4, '0')}, it must be 0600`,
      next: `chmod 600 ${file}, then weir login to replace the token`,
    })
  }
  return parseCredentials(file, readFileSync(file, 'utf8'))
}

export function writeCredentials(env: NodeJS.ProcessEnv, credentials: Credentials): void {
  const file = credentialsFile(env)
  if (Object.keys(credentials.tokens).length === 0) {
    rmSync(file, { force: true })
    return
  }
  mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 })
  const fresh = `${file}.${process.pid}`
  writeFileSync(fresh, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 })
  chmodSync(fresh, 0o600)
  renameSync(fresh, file)
}

function modeOf(file: string): number | null {
  try {
    return statSync(file).mode
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

function parseCredentials(file: string, text: string): Credentials {
  try {
    const value = JSON.parse(text) as Credentials
    if (typeof value.tokens !== 'object' || value.tokens === null) throw new Error('no "tokens" in it')
    return { server: value.server ?? null, tokens: value.tokens }
  } catch (error) {
    throw new WeirError('E_STATE', { message: `${file} cannot be used`, cause: (error as Error).message, next: `remove it, then weir login` }, { cause: error })
  }
}
