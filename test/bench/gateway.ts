/** What the gateway costs: throughput of one core, and latency added at a steady 2,000 req/s; HAProxy and nginx beside it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { RoutingTable } from '../../src/core/model/routing.ts'
import { freePort, group, Processes, pause, route, service, table, until, workersOf } from '../../src/gateway/testing.ts'
import type { Figure, Goal } from './goal.ts'

/** The proxy has a core to itself; load and origin share the other. With one core all share it. */
const PROXY_CORE = '0'
const LOAD_CORE = availableParallelism() > 1 ? '1' : '0'
const RATE = 2000
const LATENCY_CONNECTIONS = 16
const BODY = '{"hello":"world"}'

interface Subject {
  readonly name: string
  readonly port: number
  /** Processes whose CPU time counts. */
  readonly pids: readonly number[]
}

interface Latency {
  readonly p50: number
  readonly p99: number
}

export const goals: readonly Goal[] = [
  {
    id: 'D6',
    title: 'gateway: requests a second of one core, latency added at 2,000 req/s',
    run: ({ full }) => measureGateway(full ? { rounds: 5, seconds: 10 } : { rounds: 3, seconds: 3 }),
  },
]

async function measureGateway({ rounds, seconds }: { rounds: number; seconds: number }): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  const children: ChildProcess[] = []
  const origin = await freePort()
  const gateway = await Processes.start({ WEIR_GATEWAY_WORKERS: '1' })
  try {
    await startNginx(folder, 'origin', LOAD_CORE, origin, `default_type application/json; return 200 '${BODY}';`, children)
    const subjects = [await weir(gateway, origin), await haproxy(folder, origin, children), await nginxProxy(folder, origin, children)].filter(
      (it) => it !== null,
    )
    const perCore = new Map<string, number[]>()
    const wall = new Map<string, number[]>()
    const added = new Map<string, Latency[]>()
    // Round by round, so that whatever else the machine does meets all of them alike.
    for (let round = 0; round < rounds; round++) {
      const direct = await latencyAt(origin, seconds)
      for (const subject of subjects) {
        const { rate, cpuShare } = await throughput(subject, seconds)
        push(wall, subject.name, rate)
        push(perCore, subject.name, rate / cpuShare)
        const through = await latencyAt(subject.port, seconds)
        push(added, subject.name, { p50: through.p50 - direct.p50, p99: through.p99 - direct.p99 })
      }
    }
    const rates = subjects
      .map(({ name }) => `${name} ${Math.round(median(perCore.get(name) ?? []))}/s (${Math.round(median(wall.get(name) ?? []))}/s as scheduled)`)
      .join(', ')
    const beside = (which: 'p50' | 'p99') =>
      subjects.map(({ name }) => `${name} ${median((added.get(name) ?? []).map((it) => it[which])).toFixed(2)} ms`).join(', ')
    const ours = {
      rate: median(perCore.get('weir') ?? []),
      p50: median((added.get('weir') ?? []).map((it) => it.p50)),
      p99: median((added.get('weir') ?? []).map((it) => it.p99)),
    }
    return [
      { value: ours.rate, unit: '/s', target: '≥10000/s', pass: ours.rate >= 10_000, detail: `requests per second of CPU, median of ${rounds}: ${rates}` },
      { value: ours.p50, unit: 'ms', target: '≤0.3ms', pass: ours.p50 <= 0.3, detail: `added at ${RATE}/s, p50: ${beside('p50')}` },
      { value: ours.p99, unit: 'ms', target: '≤3ms', pass: ours.p99 <= 3, detail: `added at ${RATE}/s, p99: ${beside('p99')}` },
    ]
  } finally {
    for (const child of children) child.kill('SIGTERM')
    await gateway.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** With everything on: a split, so that tracks and baggage are written, and counters. */
function weir(gateway: Processes, origin: number): Promise<Subject> {
  return weirBy(gateway, origin, 'weir', { split: { rollout: 'bench', weight: 10, by: { kind: 'request' }, judge: null } })
}

async function weirBy(gateway: Processes, origin: number, name: string, more: Partial<RoutingTable>): Promise<Subject> {
  await gateway.publish(table('bench', 1, [route(null)], { web: service(group(1, { a: origin }), { canary: group(2, { b: origin }) }) }, more))
  const pids = workersOf(gateway)
  for (const pid of pids) await run('taskset', '-acp', PROXY_CORE, String(pid))
  return { name, port: gateway.port, pids }
}

export interface Cost {
  /** Requests per second of the gateway's CPU. */
  readonly rate: number
  /** Added at a steady 2,000 req/s. */
  readonly added: Latency
}

/** What the gateway costs by each of several tables, side by side: medians over the rounds. */
export async function costBeside(tables: Readonly<Record<string, Partial<RoutingTable>>>, rounds: number, seconds: number): Promise<Record<string, Cost>> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  const children: ChildProcess[] = []
  const gateways: Processes[] = []
  try {
    const origin = await freePort()
    await startNginx(folder, 'origin', LOAD_CORE, origin, `default_type application/json; return 200 '${BODY}';`, children)
    const subjects: Subject[] = []
    for (const [name, more] of Object.entries(tables)) {
      const gateway = await Processes.start({ WEIR_GATEWAY_WORKERS: '1' })
      gateways.push(gateway)
      subjects.push(await weirBy(gateway, origin, name, more))
    }
    const costs = new Map<string, Cost[]>()
    for (let round = 0; round < rounds; round++) {
      const direct = await latencyAt(origin, seconds)
      for (const subject of subjects) {
        const { rate, cpuShare } = await throughput(subject, seconds)
        const { p50, p99 } = await latencyAt(subject.port, seconds)
        push(costs, subject.name, { rate: rate / cpuShare, added: { p50: p50 - direct.p50, p99: p99 - direct.p99 } })
      }
    }
    const middle = (of: readonly Cost[]): Cost => ({
      rate: median(of.map((it) => it.rate)),
      added: { p50: median(of.map((it) => it.added.p50)), p99: median(of.map((it) => it.added.p99)) },
    })
    return Object.fromEntries([...costs].map(([name, of]) => [name, middle(of)]))
  } finally {
    for (const child of children) child.kill('SIGTERM')
    for (const gateway of gateways) await gateway.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function haproxy(folder: string, origin: number, children: ChildProcess[]): Promise<Subject | null> {
  if (!existsSync('/usr/sbin/haproxy')) return null
  const port = await freePort()
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(
    file,
    `global\n  nbthread 1\ndefaults\n  mode http\n  timeout client 30s\n  timeout server 30s\n  timeout connect 2s\n  option forwardfor\nlisten bench\n  bind 127.0.0.1:${port}\n  http-reuse always\n  server a 127.0.0.1:${origin}\n  server b 127.0.0.1:${origin} weight 10\n`,
  )
  const child = start(children, '/usr/sbin/haproxy', PROXY_CORE, '-db', '-f', file)
  await listening(port)
  return { name: 'haproxy', port, pids: [child.pid as number] }
}

async function nginxProxy(folder: string, origin: number, children: ChildProcess[]): Promise<Subject | null> {
  const port = await freePort()
  const location =
    'proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;'
  const child = await startNginx(
    folder,
    'proxy',
    PROXY_CORE,
    port,
    location,
    children,
    `upstream origin { server 127.0.0.1:${origin}; keepalive 128; keepalive_requests 100000000; }`,
  )
  return child === null ? null : { name: 'nginx', port, pids: [child.pid as number] }
}

async function startNginx(
  folder: string,
  name: string,
  core: string,
  port: number,
  location: string,
  children: ChildProcess[],
  upstream = '',
): Promise<ChildProcess | null> {
  if (!existsSync('/usr/sbin/nginx')) {
    if (name === 'origin') throw new Error('nginx is needed as the origin: apt-get install nginx-light')
    return null
  }
  const file = join(folder, `${name}.conf`)
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${folder}/${name}.pid; error_log /dev/null;\nevents { worker_connections 1024; }\nhttp { access_log off; keepalive_requests 100000000; client_body_temp_path ${folder}/${name}-b; proxy_temp_path ${folder}/${name}-p; fastcgi_temp_path ${folder}/${name}-f; uwsgi_temp_path ${folder}/${name}-u; scgi_temp_path ${folder}/${name}-s; ${upstream} server { listen 127.0.0.1:${port}; location / { ${location} } } }\n`,
  )
  const child = start(children, '/usr/sbin/nginx', core, '-c', file)
  await listening(port)
  return child
}

async function throughput({ port, pids }: Subject, seconds: number): Promise<{ rate: number; cpuShare: number }> {
  await run('taskset', '-c', LOAD_CORE, 'wrk', '-t1', '-c64', '-d1s', `http://127.0.0.1:${port}/cart/17`) // warm
  const before = cpuSeconds(pids)
  const startedAt = performance.now()
  const output = await run('taskset', '-c', LOAD_CORE, 'wrk', '-t1', '-c64', `-d${seconds}s`, `http://127.0.0.1:${port}/cart/17`)
  const took = (performance.now() - startedAt) / 1000
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1])
  if (/Non-2xx|Socket errors/.test(output)) throw new Error(output)
  return { rate, cpuShare: Math.min(1, (cpuSeconds(pids) - before) / took) }
}

/** Requests on a fixed schedule, whatever the answers do: a slow answer does not hold back the next request. */
async function latencyAt(port: number, seconds: number): Promise<Latency> {
  const taken: number[] = []
  const request = 'GET /cart/17 HTTP/1.1\r\nhost: bench.test\r\n\r\n'
  const lanes = await Promise.all(Array.from({ length: LATENCY_CONNECTIONS }, () => openLane(port, taken)))
  const startedAt = performance.now()
  let sent = 0
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedAt) * RATE) / 1000)
      for (; sent < due; sent++) lanes[sent % lanes.length]?.send(request)
      if (sent < RATE * seconds) return
      clearInterval(timer)
      resolve()
    }, 1)
  })
  await until(() => taken.length >= sent, 'all requests are answered', 30_000)
  for (const lane of lanes) lane.close()
  const settled = taken.slice(RATE / 4).sort((a, b) => a - b)
  return { p50: settled[Math.floor(settled.length * 0.5)] as number, p99: settled[Math.floor(settled.length * 0.99)] as number }
}

interface Lane {
  send(request: string): void
  close(): void
}

/** One keep-alive connection; every answer ends with the known body. */
async function openLane(port: number, taken: number[]): Promise<Lane> {
  const sentAt: number[] = []
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  let tail = ''
  socket.on('data', (chunk) => {
    const parts = (tail + chunk.toString('latin1')).split(BODY)
    tail = parts.pop() as string
    for (let i = 0; i < parts.length; i++) taken.push(performance.now() - (sentAt.shift() as number))
  })
  return {
    send: (request) => {
      sentAt.push(performance.now())
      socket.write(request)
    },
    close: () => socket.destroy(),
  }
}

function start(children: ChildProcess[], program: string, core: string, ...args: string[]): ChildProcess {
  const child = spawn('taskset', ['-c', core, program, ...args], { stdio: 'ignore' })
  children.push(child)
  return child
}

async function listening(port: number): Promise<void> {
  await until(
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.destroy()
          resolve(true)
        })
        socket.on('error', () => resolve(false))
      }),
    `port ${port} is open`,
  )
  await pause(100)
}

async function run(program: string, ...args: string[]): Promise<string> {
  return (await promisify(execFile)(program, args)).stdout
}

function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return sum + (Number(fields[11]) + Number(fields[12])) / 100
  }, 0)
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list) list.push(value)
  else map.set(key, [value])
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
