import { randomUUID } from 'node:crypto'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CommandResult, runCommand } from '../../src/spawn.ts'
import { leftovers } from './leftovers.ts'

const ROOT = join(import.meta.dirname, '../..')
export const WEIR = join(ROOT, 'bin/weir')
export const EXAMPLES = join(ROOT, 'examples')

export interface Installation {
  readonly home: string
  readonly env: Readonly<Record<string, string>>
  /** Where the gateway's public listener is. */
  readonly http: { readonly host: string; readonly port: number }
  /** Runs `weir …` as a user would, in `cwd`. */
  weir(
    args: readonly string[],
    options?: { readonly cwd?: string; readonly stdin?: string; readonly timeoutMs?: number; readonly env?: Record<string, string> },
  ): Promise<CommandResult>
  /** The same, which must succeed; the answer is the parsed `--json` result (its last line). */
  json<T = Record<string, unknown>>(args: readonly string[], options?: { readonly cwd?: string }): Promise<T>
  /** One request to the API by the server's socket, as the user who started it, or with a token as that account. */
  api<T = Record<string, unknown>>(method: string, path: string, body?: unknown, token?: string): Promise<ApiAnswer<T>>
  /** A copy of an example in a folder of its own. */
  example(name: string, into?: string): string
  folder(name: string): string
  /** A folder with these files; the same again replaces and adds. */
  write(name: string, files: Readonly<Record<string, string>>): string
  /** Ends everything and says what was left behind: nothing. */
  remove(): Promise<void>
}

/** A whole Weir of its own in a temporary folder: accounts, ports and addresses apart from any other on this machine. */
export async function installation(more: Readonly<Record<string, string>> = {}): Promise<Installation> {
  const home = mkdtempSync('/tmp/weir-e2e-')
  chmodSync(home, 0o711)
  const slot = process.pid % 400
  const port = await freePort()
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    HOME: join(home, 'user'),
    WEIR_HOME: join(home, 'state'),
    WEIR_HTTP_LISTEN: `127.0.0.1:${port}`,
    WEIR_API_LISTEN: `127.0.0.1:${await freePort()}`,
    WEIR_APP_PORTS: `${3000 + slot * 10}-${3009 + slot * 10}`,
    WEIR_UID_BASE: String(1_900_000_000 + (slot + 1) * 100_000),
    WEIR_EDGE_BLOCK: String(65 + (slot % 60)),
    WEIR_OTLP_PORT: String(await freePort()),
    WEIR_OTLP_GRPC_PORT: String(await freePort()),
    WEIR_ZIPKIN_PORT: String(await freePort()),
    NO_COLOR: '1',
    ...more,
  }
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && /^(https?_proxy|no_proxy|npm_config_|pip_|ssl_cert|node_extra)/i.test(name)) env[name] = value
  }

  const weir: Installation['weir'] = (args, options = {}) =>
    runCommand({
      argv: [WEIR, ...args],
      cwd: options.cwd ?? home,
      env: { ...env, ...options.env },
      timeoutMs: options.timeoutMs ?? 120_000,
      maxOutputBytes: 16 * 1024 * 1024,
      ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    })

  return {
    home,
    env,
    http: { host: '127.0.0.1', port },
    weir,
    async json<T>(args: readonly string[], options: { readonly cwd?: string } = {}) {
      const { code, stdout, stderr } = await weir([...args, '--json'], options)
      if (code !== 0) throw new Error(`weir ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`)
      return JSON.parse(stdout.trim().split('\n').at(-1) ?? 'null') as T
    },
    async api<T>(method: string, path: string, body?: unknown, token?: string) {
      const answer = await send({ socketPath: join(env['WEIR_HOME'] ?? home, 'run/server/api.sock'), path }, method, body, token)
      return answer as ApiAnswer<T>
    },
    example(name, into = name) {
      const folder = join(home, into)
      cpSync(join(EXAMPLES, name), folder, { recursive: true, filter: (path) => !path.includes('node_modules') })
      return folder
    },
    folder: (name) => join(home, name),
    write(name, files) {
      const folder = join(home, name)
      for (const [file, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, file)), { recursive: true })
        writeFileSync(join(folder, file), text)
      }
      return folder
    },
    async remove() {
      const down = await weir(['down'])
      const left = await leftovers({ home: env['WEIR_HOME'] ?? home, uidBase: process.getuid?.() === 0 ? Number(env['WEIR_UID_BASE']) : null })
      rmSync(home, { recursive: true, force: true })
      if (down.code !== 0) throw new Error(`weir down ended with ${down.code}: ${down.stderr}`)
      if (left.length > 0) throw new Error(`left behind: ${left.join('; ')}`)
    },
  }
}

export interface ApiAnswer<T> {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly body: T
}

async function send(to: { readonly socketPath: string; readonly path: string }, method: string, body: unknown, token?: string): Promise<ApiAnswer<unknown>> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const headers = {
    ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(method === 'GET' ? {} : { 'idempotency-key': randomUUID() }),
  }
  return new Promise((resolve, reject) => {
    const sent = request({ ...to, method, headers, agent: false, timeout: 10_000 }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const answer = Buffer.concat(chunks).toString()
        const json = /json/.test(response.headers['content-type'] ?? '')
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: json ? JSON.parse(answer) : answer })
      })
      response.on('error', reject)
    })
    sent.on('timeout', () => sent.destroy(new Error('timeout')))
    sent.on('error', reject)
    sent.end(text)
  })
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

export interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly body: string
}

/** One request over a connection of its own. */
export function get(
  url: string,
  options: { readonly headers?: Record<string, string>; readonly method?: string; readonly body?: string; readonly timeoutMs?: number } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method: options.method ?? 'GET', headers: options.headers ?? {}, agent: false, timeout: options.timeoutMs ?? 10_000 },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }))
        response.on('error', reject)
      },
    )
    sent.on('timeout', () => sent.destroy(new Error('timeout')))
    sent.on('error', reject)
    sent.end(options.body)
  })
}

/** Looks until `check` gives something; fails with what it saw last. */
export async function eventually<T>(what: string, check: () => Promise<T | null | undefined | false>, withinMs = 15_000): Promise<T> {
  const end = performance.now() + withinMs
  let last: unknown = null
  while (performance.now() < end) {
    try {
      const result = await check()
      if (result) return result
      last = result
    } catch (error) {
      last = error
    }
    await sleep(50)
  }
  throw new Error(`${what}: not within ${withinMs} ms; last: ${last instanceof Error ? last.message : JSON.stringify(last)}`)
}
