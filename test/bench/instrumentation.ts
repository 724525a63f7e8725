/** T7: what the instrumentation costs the service that it is loaded into. Two copies of the playlist app, with it and without, asked in turn. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleInstrumentation } from '../../scripts/instrumentation.ts'
import { startTestPostgres } from '../../src/store/testing.ts'
import type { Figure, Goal } from './goal.ts'
import { atMost, median, spread, timed } from './measured.ts'

export const goals: readonly Goal[] = [
  { id: 'T7', title: 'instrumentation: throughput, latency and start of the playlist app, with and without', run: ({ full }) => measure(full ? 120 : 24) },
]

const ROOT = join(import.meta.dirname, '../..')
/** Each after those that it calls. */
const SERVICES = ['users', 'songs', 'auth', 'playlists', 'home', 'web'] as const
/** Short, so that the two of a pair meet the same machine. */
const BURST = { requests: 100, lanes: 8 }
const SINGLE = { requests: 80, lanes: 1 }
const STARTS = 15
const TICK_MS = 10

async function measure(pairs: number): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-t7-'))
  const postgres = await startTestPostgres()
  const receiver = await collector()
  const copies: Copy[] = []
  try {
    cpSync(join(ROOT, 'examples/playlist'), join(folder, 'playlist'), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    const register = join(folder, 'register.cjs')
    await bundleInstrumentation(register)
    const traced = { NODE_OPTIONS: `--require=${register}`, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }
    for (const env of [{}, traced]) {
      const { socketDir, database } = await postgres.freshDatabase()
      copies.push(await startCopy(folder, { DATABASE_URL: `postgres://weir@/${database}?host=${socketDir}`, ...env }))
    }
    const [bare, with_] = copies as [Copy, Copy]
    const figures = await compare(bare, with_, pairs)
    const starts = await compareStarts(folder, traced)
    if (receiver.bytes() < 100_000) throw new Error(`only ${receiver.bytes()} bytes of spans came`)
    return [...figures, starts]
  } finally {
    for (const { stop } of copies) stop()
    receiver.stop()
    await postgres.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function compare(bare: Copy, traced: Copy, pairs: number): Promise<Figure[]> {
  const [slower, later, busier]: [number[], number[], number[]] = [[], [], []]
  const medians: { bare: number[]; traced: number[] } = { bare: [], traced: [] }
  for (const copy of [bare, traced]) for (let warm = 0; warm < 6; warm++) await ask(copy, BURST) // compiled, connected
  for (let pair = 0; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? [bare, traced] : [traced, bare]
    const seen = new Map<Copy, { rate: number; p50: number; cpuMs: number }>()
    for (const copy of order) {
      const cpuMs = copy.cpuMs()
      const burst = await ask(copy, BURST)
      const used = (copy.cpuMs() - cpuMs) / BURST.requests
      seen.set(copy, { rate: burst.perSecond, p50: median((await ask(copy, SINGLE)).latenciesMs), cpuMs: used })
    }
    const [a, b] = [seen.get(bare), seen.get(traced)]
    if (a === undefined || b === undefined) continue
    slower.push((1 - b.rate / a.rate) * 100)
    later.push(b.p50 - a.p50)
    busier.push((b.cpuMs / a.cpuMs - 1) * 100)
    medians.bare.push(a.p50)
    medians.traced.push(b.p50)
  }
  const through = `a request passes 6 services and 5 statements; medians of ${pairs} pairs in turn`
  return [
    atMost(
      5,
      '%',
      median(slower),
      `throughput lost at ${BURST.lanes} lanes: ${spread(slower, '%')}; processor time of all services: ${spread(busier, '%')}; ${through}`,
    ),
    atMost(0.3, 'ms', median(later), `p50 added, one lane: ${median(medians.bare).toFixed(2)} → ${median(medians.traced).toFixed(2)} ms`),
  ]
}

async function compareStarts(folder: string, traced: Record<string, string>): Promise<Figure> {
  const took: { bare: number[]; traced: number[] } = { bare: [], traced: [] }
  for (let turn = 0; turn < STARTS; turn++) {
    for (const [kind, env] of [
      ['bare', {}],
      ['traced', traced],
    ] as const) {
      let child: ChildProcess | undefined
      const seconds = await timed(async () => {
        child = (await startService(folder, 'home', env)).child
      })
      child?.kill('SIGKILL')
      took[kind].push(seconds * 1000)
    }
  }
  const added = took.traced.map((ms, turn) => ms - (took.bare[turn] ?? Number.NaN))
  return atMost(150, 'ms', median(added), `start-up added: ${spread(added, 'ms')}; without ${spread(took.bare, 'ms')}`)
}

interface Copy {
  readonly url: string
  readonly token: string
  /** Processor time of all its services so far. */
  cpuMs(): number
  stop(): void
}

async function startCopy(folder: string, env: Record<string, string>): Promise<Copy> {
  const children: ChildProcess[] = []
  const urls: Record<string, string> = {}
  for (const service of ['users', 'auth', 'songs', 'playlists']) await migrate(folder, service, env)
  for (const service of SERVICES) {
    const addresses = Object.fromEntries(Object.entries(urls).map(([name, url]) => [`${name.toUpperCase()}_URL`, url]))
    const { child, url } = await startService(folder, service, { ...env, ...addresses, OTEL_SERVICE_NAME: service })
    children.push(child)
    urls[service] = url
  }
  const url = urls['web'] ?? ''
  const session = await fetch(`${url}/api/sessions`, { method: 'POST', body: JSON.stringify({ name: 'ada', password: 'lovelace' }) })
  const { token } = (await session.json()) as { token: string }
  return {
    url,
    token,
    cpuMs: () => children.reduce((total, { pid }) => total + cpuMsOf(pid ?? 0), 0),
    stop: () => {
      for (const child of children) child.kill('SIGKILL')
    },
  }
}

async function migrate(folder: string, service: string, env: Record<string, string>): Promise<void> {
  const child = spawn(process.execPath, ['migrate.js'], { cwd: join(folder, 'playlist', service), env, stdio: 'inherit' })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`${service}/migrate.js ended with ${code}`)
}

async function startService(folder: string, service: string, env: Record<string, string>): Promise<{ child: ChildProcess; url: string }> {
  const port = await freePort()
  const child = spawn(process.execPath, ['server.js'], {
    cwd: join(folder, 'playlist', service),
    env: { ...env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return { child, url: `http://127.0.0.1:${port}` }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

async function ask({ url, token }: Copy, load: { readonly requests: number; readonly lanes: number }): Promise<{ perSecond: number; latenciesMs: number[] }> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.lanes })
  const latenciesMs: number[] = []
  let left = load.requests
  const lane = async () => {
    while (left-- > 0) latenciesMs.push((await timed(() => askHome(agent, `${url}/api/home`, token))) * 1000)
  }
  const seconds = await timed(() => Promise.all(Array.from({ length: load.lanes }, lane)))
  agent.destroy()
  return { perSecond: load.requests / seconds, latenciesMs }
}

function askHome(agent: Agent, url: string, token: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
      response.resume().on('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`))))
    })
    sent.on('error', reject).end()
  })
}

/** Takes spans and throws them away, in a process of its own as an intake is. */
async function collector(): Promise<{ url: string; bytes(): number; stop(): void }> {
  const code = `let bytes = 0
    const server = require('node:http').createServer((request, response) => {
      request.on('data', (chunk) => { bytes += chunk.length }).on('end', () => { response.end(); process.send(bytes) })
    }).listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))`
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: {} })
  let bytes = 0
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  child.on('message', (total: number) => {
    bytes = total
  })
  return { url: `http://127.0.0.1:${port}`, bytes: () => bytes, stop: () => void child.kill('SIGKILL') }
}
