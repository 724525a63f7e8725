import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '../../../packages/client/src/client.ts'
import { connectClient, serverOf } from './connect.ts'
import { type AppContext, appContext } from './context.ts'
import type { Terminal } from './terminal.ts'

export type Known = 'app' | 'environment' | 'service' | 'service=' | 'release'

/** A person waits for the Tab key: with the start of the program this stays below 300 ms. */
const BUDGET_MS = 200
const FRESH_MS = 5000

/** Names for completion, from a small cache or the server; what is not there in time is left out. */
export async function knownNames(
  terminal: Terminal,
  known: Known,
  flags: { readonly app: string | undefined; readonly environment: string | undefined },
): Promise<readonly string[]> {
  try {
    const server = serverOf(terminal.env)
    const cache = cacheFile(terminal.env, JSON.stringify([server.address, server.token, terminal.cwd, known, flags]))
    const kept = readCache(cache)
    if (kept && terminal.now() - kept.at < FRESH_MS) return kept.names
    const names = await withinBudget(ask(terminal, known, flags))
    if (names === null) return kept?.names ?? []
    writeCache(cache, { at: terminal.now(), names })
    return names
  } catch {
    return [] // completion never gets in the way
  }
}

async function ask(
  terminal: Terminal,
  known: Known,
  flags: { readonly app: string | undefined; readonly environment: string | undefined },
): Promise<readonly string[]> {
  const client = await connectClient(serverOf(terminal.env))
  try {
    if (known === 'app') return (await client.call('apps.list', { query: { limit: 200 } })).items.map((it) => it.name)
    const context = await appContext({ terminal, app: flags.app, environment: flags.environment, client: async () => client })
    return await namesIn(client, context, known)
  } finally {
    client.close()
  }
}

async function namesIn(client: Client, params: AppContext, known: Exclude<Known, 'app'>): Promise<readonly string[]> {
  switch (known) {
    case 'environment':
      return (await client.call('environments.list', { params: { app: params.app }, query: { limit: 200 } })).items.map((it) => it.name)
    case 'release':
      return (await client.call('releases.list', { params, query: { limit: 20 } })).items.map((it) => `v${it.number}`)
    case 'service':
    case 'service=': {
      const names = (await client.call('environments.show', { params })).services.map((it) => it.name)
      return known === 'service' ? names : ['auto', ...names.map((name) => `${name}=`)]
    }
  }
}

function withinBudget<T>(work: Promise<T>): Promise<T | null> {
  return Promise.race([work, new Promise<null>((resolve) => setTimeout(resolve, BUDGET_MS, null).unref())])
}

interface Cached {
  readonly at: number
  readonly names: readonly string[]
}

function cacheFile(env: NodeJS.ProcessEnv, key: string): string {
  const folder = join(env['XDG_CACHE_HOME'] ?? join(env['HOME'] ?? homedir(), '.cache'), 'weir', 'completion')
  return join(folder, createHash('sha256').update(key).digest('hex').slice(0, 32))
}

function readCache(file: string): Cached | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Cached
  } catch {
    return null // none yet, or half a one: the server is asked
  }
}

function writeCache(file: string, cached: Cached): void {
  mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 })
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(cached), { mode: 0o600 })
  renameSync(`${file}.${process.pid}`, file)
}
