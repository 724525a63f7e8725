/** What the gateway's tests share: tables, targets, and the real processes in a state folder of their own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, createServer as createHttpServer, request as httpRequest, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { statePaths } from '../config.ts'
import type { Listener, RoutingTable, ServiceTargets, TargetGroup } from '../core/model/routing.ts'
import { RpcClient } from '../rpc/client.ts'
import { GatewayClient } from './client.ts'
import type { Gateway } from './gateway.ts'

export function route(host: string | null, path = '/', service = 'web', protocol: 'http' | 'grpc' = 'http'): Listener {
  return { kind: 'route', host, path, service, port: 'http', protocol }
}

export function group(origin: number, targets: Readonly<Record<string, number>>, cause: string | null = null): TargetGroup {
  return { origin, targets: Object.entries(targets).map(([id, port]) => ({ id, address: '127.0.0.1', ports: { http: port } })), cause }
}

export function service(stable: TargetGroup, more: Partial<ServiceTargets> = {}): ServiceTargets {
  return { stable, canary: null, timeoutMs: 5000, drainMs: 300, bodyLimit: 1024 * 1024, ...more }
}

export function table(
  environment: string,
  n: number,
  listeners: readonly Listener[],
  services: Readonly<Record<string, ServiceTargets>>,
  more: Partial<RoutingTable> = {},
): RoutingTable {
  return { environment, version: { epoch: 1, n }, label: `${environment}/production`, listeners, services, split: null, trial: null, shadow: null, ...more }
}

export interface Target {
  readonly port: number
  readonly server: Server
  close(): void
}

/** A replica: an HTTP server on a free port. */
export async function startTarget(handler: RequestListener): Promise<Target> {
  const server = createHttpServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    server,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly trailers: NodeJS.Dict<string>
  readonly body: string
}

export interface Ask {
  readonly port: number
  readonly path?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  readonly agent?: Agent
  readonly address?: string
}

/** One request, on a new connection unless an agent is given. */
export function ask({ port, path = '/', method = 'GET', headers = {}, body, agent, address = '127.0.0.1' }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: address, port, path, method, headers, agent: agent ?? false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode as number, headers: response.headers, trailers: response.trailers, body: Buffer.concat(chunks).toString() }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** Waits until `check` gives something other than false, null or undefined. */
export async function until<T>(check: () => T | Promise<T>, what: string, withinMs = 5000): Promise<NonNullable<T>> {
  const end = performance.now() + withinMs
  for (;;) {
    const value = await check()
    if (value !== false && value !== null && value !== undefined) return value
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`)
    await pause(5)
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Process ids of the workers that the present parent started. */
export function workersOf(gateway: Processes): number[] {
  const pid = gateway.parent?.pid
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number).filter(isAlive)
}

export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

export interface Load {
  stop(): Promise<{ readonly answered: number; readonly failures: readonly string[] }>
}

/** Half of the clients keep their connection, the others open one for each request; a third of all ask for `/slow`. */
export function startLoad(port: number, host: string, clients: number): Load {
  let running = true
  let answered = 0
  const failures: string[] = []
  const loops = Array.from({ length: clients }, async (_, index) => {
    const agent = index % 2 === 0 ? new Agent({ keepAlive: true, maxSockets: 1 }) : null
    while (running) {
      try {
        const answer = await ask({ port, path: index % 3 === 2 ? '/slow' : '/', headers: { host }, ...(agent ? { agent } : {}) })
        if (answer.status === 200) answered++
        else failures.push(String(answer.status))
      } catch (error) {
        failures.push((error as NodeJS.ErrnoException).code ?? String(error))
      }
      await pause(1)
    }
    agent?.destroy()
  })
  return {
    stop: async () => {
      running = false
      await Promise.all(loops)
      return { answered, failures }
    },
  }
}

/** The gateway's real processes. */
export class Processes {
  readonly port: number
  readonly home: string
  readonly client: GatewayClient
  readonly rpc: RpcClient
  readonly #env: Readonly<Record<string, string>>
  parent: ChildProcess | null = null

  private constructor(home: string, port: number, env: Readonly<Record<string, string>>) {
    this.home = home
    this.port = port
    this.#env = env
    this.rpc = new RpcClient(statePaths({ WEIR_HOME: home }).gatewaySocket)
    this.client = new GatewayClient(this.rpc)
  }

  static async start(env: Readonly<Record<string, string>> = {}): Promise<Processes> {
    const home = mkdtempSync(join(tmpdir(), 'weir-gateway-'))
    mkdirSync(dirname(statePaths({ WEIR_HOME: home }).gatewaySocket), { recursive: true })
    const it = new Processes(home, await freePort(), env)
    await it.startParent()
    return it
  }

  async startParent(): Promise<void> {
    this.parent = spawn(process.execPath, [fileURLToPath(new URL('./main.ts', import.meta.url))], {
      env: { PATH: process.env['PATH'], WEIR_HOME: this.home, WEIR_HTTP_LISTEN: `127.0.0.1:${this.port}`, WEIR_GATEWAY_WORKERS: '1', ...this.#env },
      stdio: ['ignore', 'ignore', process.env['WEIR_TEST_VERBOSE'] ? 'inherit' : 'ignore'],
    })
    await until(() => this.client.environments().catch(() => null), 'the gateway answers')
  }

  /** Publishes and waits until every worker has it. */
  async publish(it: RoutingTable): Promise<void> {
    await this.client.publish(it)
    await acknowledged(this.client, it)
  }

  async stop(): Promise<void> {
    const { parent } = this
    this.rpc.close()
    if (parent && parent.exitCode === null && parent.signalCode === null) {
      const ended = new Promise((resolve) => parent.once('exit', resolve))
      parent.kill('SIGTERM')
      await ended
    }
    rmSync(this.home, { recursive: true, force: true })
  }
}

export async function acknowledged(gateway: Gateway, { environment, version }: RoutingTable): Promise<void> {
  await until(async () => {
    const seen = (await gateway.observe(environment)).acknowledged
    return seen !== null && seen.epoch === version.epoch && seen.n >= version.n
  }, `every worker has version ${version.n} of ${environment}`)
}
