import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Client } from '../../../packages/client/src/client.ts'
import { nameProblem } from '../../core/model/names.ts'
import { WeirError } from '../../errors.ts'
import type { Terminal } from './terminal.ts'
import { usage } from './usage.ts'

export interface AppContext {
  readonly app: string
  readonly environment: string
}

export interface Asked {
  readonly terminal: Terminal
  readonly app: string | undefined
  readonly environment: string | undefined
  readonly client: () => Promise<Client>
}

export const DEFAULT_ENVIRONMENT = 'production'

/** Which app and environment are meant: flag > environment variable > linked folder > its manifest > the only app there is. */
export async function appContext(asked: Asked): Promise<AppContext> {
  const { env, cwd } = asked.terminal
  const link = readLink(cwd)
  const environment = checkedName('environment', asked.environment ?? (env['WEIR_ENV'] || undefined) ?? link?.environment ?? DEFAULT_ENVIRONMENT)
  const named = asked.app ?? (env['WEIR_APP'] || undefined) ?? link?.app ?? (await manifestApp(cwd))
  if (named !== undefined) return { app: checkedName('app', named), environment }
  return { app: await onlyApp(asked), environment }
}

/** `.weir/link.json` of the folder or of one above it: which app and environment the folder belongs to. */
export function readLink(folder: string): Partial<AppContext> | null {
  for (let at = folder; ; at = dirname(at)) {
    const file = join(at, '.weir', 'link.json')
    const text = readIfThere(file)
    if (text !== null) return parseLink(file, text)
    if (dirname(at) === at) return null
  }
}

/** The app that the manifest in `folder` names; undefined without a manifest that does. */
export async function manifestApp(folder: string): Promise<string | undefined> {
  const text = readIfThere(join(folder, 'weir.yaml')) ?? readIfThere(join(folder, 'weir.json'))
  if (text === null || text.length > 1024 * 1024) return undefined
  return appNamedIn(text)
}

/** Looks for the one key only: what else is in the manifest is for `weir plan` to judge. */
export function appNamedIn(manifest: string): string | undefined {
  const found = manifest.match(/^(?:app|["']app["'])\s*:\s*["']?([a-z0-9-]+)["']?\s*(?:#.*)?$/m) ?? manifest.match(/"(?:app|name)"\s*:\s*"([a-z0-9-]+)"/)
  return found?.[1]
}

/** The name an app gets from its folder when no manifest says one. */
export function appNamedAfter(folder: string): string | undefined {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 40)
  return nameProblem(name) === null ? name : undefined
}

export function checkedName(kind: string, name: string): string {
  const problem = nameProblem(name)
  if (problem !== null)
    throw new WeirError('E_NAME', { message: `"${name}" cannot be the name of ${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`, cause: `it ${problem}` })
  return name
}

async function onlyApp(asked: Asked): Promise<string> {
  const client = await asked.client()
  const apps = (await client.call('apps.list', { query: { limit: 50 } })).items.map((app) => app.name)
  const after = appNamedAfter(asked.terminal.cwd)
  if (after !== undefined && apps.includes(after)) return after
  const [first, second] = apps
  if (first !== undefined && second === undefined) return first
  if (first === undefined) throw new WeirError('E_NOT_FOUND', { message: 'there is no app yet', next: 'weir deploy' })
  throw usage('which app?', `there are ${apps.slice(0, 8).join(', ')}${apps.length > 8 ? ', …' : ''}`, `the same with -a ${first}`)
}

function parseLink(file: string, text: string): Partial<AppContext> {
  try {
    const { app, environment } = JSON.parse(text) as Record<string, unknown>
    return { ...(typeof app === 'string' ? { app } : {}), ...(typeof environment === 'string' ? { environment } : {}) }
  } catch (error) {
    throw new WeirError('E_STATE', { message: `${file} cannot be used`, cause: (error as Error).message, next: `remove it` }, { cause: error })
  }
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}
