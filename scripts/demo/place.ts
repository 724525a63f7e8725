import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { portHolder } from '../../src/cli/machine/port-holder.ts'
import { hiddenFolder } from '../../src/cli/machine/state-folder.ts'
import { serverConfig } from '../../src/config.ts'

/** A place for one Weir of the demo's own, apart from any other on this machine. */
export interface Place {
  readonly home: string
  readonly repository: string
  /** What `weir` is configured by there; nothing of the person's own Weir. */
  readonly env: Readonly<Record<string, string>>
  readonly apiUrl: string
  /** Ports that were wished for and are taken, with what came in their place. */
  readonly moved: readonly string[]
  remove(): void
}

const FIRST_APP_PORT = 8100
const APP_PORTS = 900
/** A temporary folder's path may be too long for sockets, or closed to the apps' accounts. */
const LONGEST_FOLDER = 40
/** Above the accounts of an installation and of those that tests make. */
const FIRST_ACCOUNT = 2_000_000_000
const ACCOUNTS_OF_ONE = 100_000
const EDGE_BLOCKS = { first: 65, count: 62 }

export function makePlace(): Place {
  process.umask(0o022) // apps' accounts read what is made here
  const folder = realpathSync(mkdtempSync(join(parentFolder(), 'weir-demo-')))
  chmodSync(folder, 0o711)
  const home = join(folder, 'state')
  const repository = join(folder, 'playlist')
  mkdirSync(repository)

  const wished = serverConfig({})
  const http = freePort(wished.http.port, 8080)
  const api = freePort(wished.api.port, wished.api.port + 1)
  const app = freePort(FIRST_APP_PORT, FIRST_APP_PORT + 1)
  const moved = [
    { what: 'app', port: app, wish: FIRST_APP_PORT },
    { what: 'API', port: api, wish: wished.api.port },
    { what: 'gateway', port: http, wish: wished.http.port },
  ].flatMap(({ what, port, wish }) => (port === wish ? [] : [`${what} on ${port}, because ${wish} is in use`]))

  return {
    home,
    repository,
    apiUrl: `http://127.0.0.1:${api}`,
    moved,
    env: {
      ...inherited(),
      WEIR_HOME: home,
      WEIR_HTTP_LISTEN: `127.0.0.1:${http}`,
      WEIR_API_LISTEN: `127.0.0.1:${api}`,
      WEIR_APP_PORTS: `${app}-${app + APP_PORTS - 1}`,
      WEIR_UID_BASE: String(FIRST_ACCOUNT + (process.pid % 1000) * ACCOUNTS_OF_ONE),
      WEIR_EDGE_BLOCK: String(quietBlock()),
      XDG_CONFIG_HOME: join(folder, 'config'),
      XDG_CACHE_HOME: join(folder, 'cache'),
    },
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
  }
}

function parentFolder(): string {
  const isRoot = process.getuid?.() === 0
  const fits = (folder: string) => folder.length <= LONGEST_FOLDER && !(isRoot && hiddenFolder(folder) !== null)
  const found = [tmpdir(), '/tmp', '/var/tmp'].find(fits)
  if (found === undefined) throw new Error('no temporary folder can be used: accounts of apps cannot pass through /tmp')
  return found
}

function inherited(): Record<string, string> {
  const own = (name: string) => name.startsWith('WEIR_') || name === 'DATABASE_URL'
  return Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value === undefined || own(name) ? [] : [[name, value]])))
}

/** `wish`, else the first free one from `next` on. */
function freePort(wish: number, next: number): number {
  let port = wish
  for (let other = next; portHolder(port) !== null; other++) port = other
  return port
}

/** The second number of the loopback addresses at which apps reach each other: one at which nobody listens. */
function quietBlock(): number {
  const used = new Set(
    readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((line) => /^ *\d+: [0-9A-F]{4}([0-9A-F]{2})7F:/.exec(line)?.[1])
      .map((hex) => Number.parseInt(hex ?? '0', 16)),
  )
  const blocks = Array.from({ length: EDGE_BLOCKS.count }, (_, at) => EDGE_BLOCKS.first + ((process.pid + at) % EDGE_BLOCKS.count))
  return blocks.find((block) => !used.has(block)) ?? EDGE_BLOCKS.first
}
