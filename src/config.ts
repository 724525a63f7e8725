import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { WeirError } from './errors.ts'

/** Where everything of one installation lives; the only absolute path is `home`. Sockets stay ≤ 100 bytes (checked at start). */
export interface StatePaths {
  readonly home: string
  /** What only the server reads and writes. */
  readonly server: string
  readonly lock: string
  /** Key that seals secrets, 32 bytes, mode 0600. */
  readonly key: string
  readonly run: string
  readonly serverSocket: string
  readonly runnerSocket: string
  readonly gatewaySocket: string
  /** Where the telemetry process is asked; and where the gateway leaves its spans. */
  readonly telemetrySocket: string
  readonly spansSocket: string
  readonly storeSocketDir: string
  readonly storeData: string
  readonly appsData: string
  readonly runner: string
  readonly gateway: string
  readonly telemetry: string
  /** What keys of the telemetry intake are made with, 32 bytes. */
  readonly intakeSecret: string
  /** The operator's, for places that telemetry is sent to or read from; mode 0600. */
  readonly telemetryCredentials: string
  /** Address of a store that is not Weir's own, for the telemetry process alone. */
  readonly telemetryStore: string
  /** Code that instruments Node services, where they may read it. */
  readonly instrumentation: string
  readonly slugs: string
  readonly mirrors: string
  readonly uploads: string
  readonly builds: string
  readonly logs: string
  readonly volumes: string
  readonly runtimes: string
  readonly replicas: string
}

/** `/var/lib/weir` as root, else `~/.local/state/weir`; `WEIR_HOME` moves it. */
export function statePaths(env: NodeJS.ProcessEnv = process.env): StatePaths {
  const root = process.getuid?.() === 0
  const home = resolve(env['WEIR_HOME'] ?? (root ? '/var/lib/weir' : join(env['XDG_STATE_HOME'] ?? join(homedir(), '.local/state'), 'weir')))
  const run = join(home, 'run')
  return {
    home,
    lock: join(home, 'server/lock'),
    key: join(home, 'server/key'),
    server: join(home, 'server'),
    run,
    serverSocket: join(run, 'server/api.sock'),
    runnerSocket: join(run, 'runner.sock'),
    gatewaySocket: join(run, 'gateway/control.sock'),
    telemetrySocket: join(run, 'telemetry/control.sock'),
    spansSocket: join(run, 'spans/spans.sock'),
    storeSocketDir: join(run, 'pg'),
    storeData: join(home, 'pg/store'),
    appsData: join(home, 'pg/apps'),
    runner: join(home, 'runner'),
    gateway: join(home, 'gateway'),
    telemetry: join(home, 'telemetry'),
    intakeSecret: join(home, 'intake.secret'),
    telemetryCredentials: join(home, 'telemetry.credentials'),
    telemetryStore: join(home, 'telemetry.store'),
    instrumentation: join(home, 'instrumentation'),
    slugs: join(home, 'slugs'),
    mirrors: join(home, 'mirrors'),
    uploads: join(home, 'uploads'),
    builds: join(home, 'builds'),
    logs: join(home, 'logs'),
    volumes: join(home, 'volumes'),
    runtimes: join(home, 'runtimes'),
    replicas: join(home, 'replicas'),
  }
}

/**
 * Unprivileged accounts of one installation (as root): `base` is Weir's first uid, chosen where neither people nor
 * systemd's dynamic and container ranges are (1879048192…2147483647 is free in systemd's table).
 * Without root everything runs as the user, and there is one tenant.
 */
export interface Accounts {
  readonly server: number
  readonly gateway: number
  readonly build: number
  readonly postgres: number
  readonly telemetry: number
  /** A group alone: server and telemetry, for what both need (logs, the store's socket) and for nothing that one of them must not have. */
  readonly readers: number
  /** uid of app number n. */
  app(n: number): number
}
export function accounts(env: NodeJS.ProcessEnv = process.env): Accounts | null {
  if (process.getuid?.() !== 0) return null
  const base = Number(env['WEIR_UID_BASE'] ?? 1_900_000_000)
  return { server: base + 1, gateway: base + 2, build: base + 3, postgres: base + 4, telemetry: base + 5, readers: base + 6, app: (n) => base + 1000 + n }
}

/**
 * Loopback address on which app number n finds its edges: one an app, so that one firewall rule covers them. Two installations on one
 * machine need different blocks (`WEIR_EDGE_BLOCK`, the second number of the first address).
 */
export function edgeAddress(app: number, block = Number(process.env['WEIR_EDGE_BLOCK'] ?? 64)): string {
  const offset = app + 255 // 127.64.1.0 on: never 127.0.0.1, never a network address anyone types
  return `127.${block + ((offset >> 16) & 63)}.${(offset >> 8) & 255}.${offset & 255}`
}

/** UDP, on an environment's `edgeAddress`. */
export const STATSD_PORT = 8125

/** Public ports for apps without routes: `WEIR_APP_PORTS`, first and last. */
export function appPorts(env: NodeJS.ProcessEnv = process.env): { readonly first: number; readonly last: number } {
  const [first = 8100, last = 8999] = (env['WEIR_APP_PORTS'] ?? '').split('-').filter(Boolean).map(Number)
  return { first, last }
}

/** Telemetry of a whole installation. `WEIR_TELEMETRY=off` turns it off; without a port, the usual one if it is free. */
export interface TelemetryConfig {
  readonly on: boolean
  readonly otlpPort: number | null
  readonly otlpGrpcPort: number | null
  readonly zipkinPort: number | null
  /** Bootstrap servers, `HOST:PORT` by comma, of the broker that spans may be sent to; told to replicas as `KAFKAADDRESS`. */
  readonly kafka: string | null
  /** Where copies of all spans are sent: a Zipkin, an OTLP/HTTP endpoint. */
  readonly forward: { readonly zipkin: string | null; readonly otlp: string | null }
  /** Where all logs are sent on to: `file:/…`, `otlp+http://…`, `elasticsearch+http://…`. */
  readonly logExport: string | null
}

export function telemetryConfig(env: NodeJS.ProcessEnv = process.env): TelemetryConfig {
  const choice = env['WEIR_TELEMETRY'] ?? 'on'
  if (choice !== 'on' && choice !== 'off')
    throw new WeirError('E_USAGE', { message: 'WEIR_TELEMETRY is neither on nor off', cause: `"${choice}"`, next: 'WEIR_TELEMETRY=off' })
  return {
    on: choice === 'on',
    otlpPort: portOf(env, 'WEIR_OTLP_PORT'),
    otlpGrpcPort: portOf(env, 'WEIR_OTLP_GRPC_PORT'),
    zipkinPort: portOf(env, 'WEIR_ZIPKIN_PORT'),
    kafka: openTextOf(env, 'WEIR_KAFKA'),
    forward: { zipkin: urlOf(env, 'WEIR_FORWARD_ZIPKIN'), otlp: urlOf(env, 'WEIR_FORWARD_OTLP') },
    logExport: openTextOf(env, 'WEIR_LOG_EXPORT'),
  }
}

function urlOf(env: NodeJS.ProcessEnv, name: string): string | null {
  const text = openTextOf(env, name)
  if (text === null) return null
  if (!/^https?:\/\//.test(text) || !URL.canParse(text))
    throw new WeirError('E_USAGE', { message: `${name} is not an address`, cause: `"${text}"`, next: `${name}=http://127.0.0.1:9412` })
  return text
}

/** A variable can be read in unit files, in records and in `/proc`: a password in it is refused, and not repeated. */
function openTextOf(env: NodeJS.ProcessEnv, name: string): string | null {
  const text = env[name]
  if (text === undefined || text === '') return null
  if (text.includes('@') && !text.startsWith('file:'))
    throw new WeirError('E_USAGE', {
      message: `${name} is for an address without user and password`,
      cause: 'variables of processes are no place for secrets',
      next: 'put them into telemetry.credentials in the state folder',
    })
  return text
}

function portOf(env: NodeJS.ProcessEnv, name: string): number | null {
  const text = env[name]
  if (text === undefined) return null
  if (!/^\d{1,5}$/.test(text) || Number(text) === 0 || Number(text) > 65_535)
    throw new WeirError('E_USAGE', { message: `${name} is not a port`, cause: `"${text}"`, next: `${name}=4318` })
  return Number(text)
}

/** What Weir's own processes are configured by, handed from one to the next and to nothing else. */
const OWN_VARIABLES = [
  'PATH',
  'WEIR_HOME',
  'WEIR_UID_BASE',
  'WEIR_EDGE_BLOCK',
  'WEIR_APP_PORTS',
  'WEIR_HTTP_LISTEN',
  'WEIR_API_LISTEN',
  'WEIR_TRUSTED_PROXIES',
  'WEIR_GATEWAY_WORKERS',
  'WEIR_TELEMETRY',
  'WEIR_OTLP_PORT',
  'WEIR_OTLP_GRPC_PORT',
  'WEIR_ZIPKIN_PORT',
  'WEIR_KAFKA',
  'WEIR_LOG_EXPORT',
  'WEIR_FORWARD_ZIPKIN',
  'WEIR_FORWARD_OTLP',
  'DATABASE_URL',
  'WEIR_CRASH_FILE',
] as const

/** The environment of a process of Weir's own: its variables, and those by which this machine reaches package registries. */
export function ownEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const own: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && ((OWN_VARIABLES as readonly string[]).includes(name) || REACH.test(name))) own[name] = value
  }
  return own
}
/**
 * Of glibc, for Weir's own processes: one heap for all threads of a process. Each thread's own heap kept what it had needed once:
 * 5 MiB in runner, server and gateway together. They wait far more than they compute, so the lock is free.
 */
export const ONE_HEAP: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '1' }

const REACH = /^(https?_proxy|no_proxy|npm_config_[a-z_]+|pip_[a-z_]+|ssl_cert_(file|dir)|node_extra_ca_certs|lang|lc_all|tz)$/i

/** Where Weir listens; ports may be 0 in tests. */
export interface ServerConfig {
  readonly api: { readonly host: string; readonly port: number }
  /** The gateway's shared listener, for addresses shown to people. */
  readonly http: { readonly host: string; readonly port: number }
  /** A PostgreSQL of one's own instead of the embedded one. */
  readonly databaseUrl: string | null
}

export function serverConfig(env: NodeJS.ProcessEnv = process.env): ServerConfig {
  return {
    api: hostAndPort(env['WEIR_API_LISTEN'] ?? '127.0.0.1:7700', 'WEIR_API_LISTEN'),
    http: hostAndPort(env['WEIR_HTTP_LISTEN'] ?? (process.getuid?.() === 0 ? '0.0.0.0:80' : '0.0.0.0:8080'), 'WEIR_HTTP_LISTEN'),
    databaseUrl: env['DATABASE_URL'] ?? null,
  }
}

function hostAndPort(text: string, name: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (!match || port > 65_535)
    throw new WeirError('E_USAGE', { message: `${name} is not an address`, cause: `"${text}" is not HOST:PORT`, next: `${name}=127.0.0.1:7700` })
  return { host: (match[1] ?? match[2]) || '0.0.0.0', port }
}
