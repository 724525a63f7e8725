import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import pc from 'picocolors'
import { ROUTES, type RouteId } from '../../packages/client/src/routes.ts'
import { CATALOGUE, isWeirError, WeirError } from '../errors.ts'
import { runProgram } from './frame/program.ts'
import type { Terminal } from './frame/terminal.ts'

export interface Asked {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly body: unknown
  readonly headers: IncomingMessage['headers']
}
/** Answers JSON, or the events of a stream. */
export type Handler = (asked: Asked) => unknown
export type Handlers = { readonly [Id in RouteId]?: Handler }

export interface FakeServer {
  readonly address: string
  /** What was asked, in order: `releases.create`, … */
  readonly calls: readonly { readonly route: RouteId; readonly asked: Asked }[]
  close(): Promise<void>
}

/** A server on a unix socket that speaks HTTP as the real one does: same routes, same problems, same event streams. */
export async function fakeServer(handlers: Handlers): Promise<FakeServer> {
  const folder = mkdtempSync('/tmp/weir-cli-')
  const socket = join(folder, 'api.sock')
  const calls: { route: RouteId; asked: Asked }[] = []
  const server = createServer((request, response) => void answer(request, response))
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    try {
      const { route, asked } = resolved(request, Buffer.concat(chunks))
      calls.push({ route, asked })
      const handler = handlers[route]
      if (!handler) throw new WeirError('E_NOT_FOUND', { message: `the fake does not answer ${route}` })
      const result = await handler(asked)
      if ((ROUTES[route] as { stream?: string }).stream === 'sse') await sendEvents(response, result as AsyncIterable<FakeEvent>)
      else response.writeHead(ROUTES[route].status, { 'content-type': 'application/json' }).end(JSON.stringify(result))
    } catch (error) {
      sendProblem(response, error)
    }
  }
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return {
    address: `unix:${socket}`,
    calls,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true })
    },
  }
}

export interface FakeEvent {
  readonly event: string
  readonly data: unknown
}

async function sendEvents(response: ServerResponse, events: AsyncIterable<FakeEvent>): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
  for await (const { event, data } of events) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  response.end('event: end\ndata: {}\n\n')
}

function sendProblem(response: ServerResponse, error: unknown): void {
  const problem = isWeirError(error) ? error : new WeirError('E_INTERNAL', { message: String(error) })
  const { status, exit } = CATALOGUE[problem.code]
  response
    .writeHead(status, { 'content-type': 'application/problem+json' })
    .end(JSON.stringify({ code: problem.code, status, exit, requestId: 'r1', ...problem.explanation }))
}

function resolved(request: IncomingMessage, body: Buffer): { route: RouteId; asked: Asked } {
  const url = new URL(request.url ?? '/', 'http://localhost')
  for (const [id, route] of Object.entries(ROUTES)) {
    const names = [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '')
    const match = new RegExp(`^${route.path.replace(/\{\w+\}/g, '([^/]+)')}$`).exec(url.pathname)
    if (route.method !== request.method || !match) continue
    const params = Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(match[at + 1] ?? '')]))
    const isJson = request.headers['content-type'] === 'application/json'
    return {
      route: id as RouteId,
      asked: { params, query: Object.fromEntries(url.searchParams), body: isJson ? JSON.parse(body.toString()) : body, headers: request.headers },
    }
  }
  throw new WeirError('E_NOT_FOUND', { message: `no route ${request.method} ${url.pathname}` })
}

export interface Ran {
  readonly exit: number
  readonly out: string
  readonly err: string
}
export interface Typed {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly stdin?: string
  readonly interactive?: boolean
  readonly answers?: readonly string[]
  /** Called with what is written, so that a test can press Ctrl-C at the right moment. */
  readonly onOut?: (text: string, interrupt: () => void) => void
}

/** Runs one command line in this process, against a terminal that only remembers. */
export async function weir(server: FakeServer | null, argv: readonly string[], typed: Typed = {}): Promise<Ran> {
  let out = ''
  let err = ''
  const interrupts = new Set<() => void>()
  const answers = [...(typed.answers ?? [])]
  const terminal: Terminal = {
    env: {
      HOME: '/nonexistent',
      XDG_CONFIG_HOME: '/nonexistent',
      ...(server ? { WEIR_SERVER: server.address } : { WEIR_HOME: '/nonexistent/weir' }),
      ...typed.env,
    },
    cwd: typed.cwd ?? '/',
    interactive: typed.interactive ?? false,
    asks: answers.length > 0,
    width: () => 80,
    height: () => 24,
    unicode: true,
    colours: pc.createColors(false),
    out: (text) => {
      out += text
      typed.onOut?.(text, () => interrupts.forEach((call) => call()))
    },
    err: (text) => {
      err += text
    },
    write: (chunk, stream) => {
      if (stream === 'stdout') out += Buffer.from(chunk).toString()
      else err += Buffer.from(chunk).toString()
    },
    readStdin: async () => typed.stdin ?? '',
    ask: async () => answers.shift() ?? '',
    stdin: process.stdin,
    onResize: () => () => {},
    now: () => Date.now(),
    onInterrupt: (call) => {
      interrupts.add(call)
      return () => interrupts.delete(call)
    },
  }
  const exit = await runProgram(terminal, argv)
  return { exit, out, err }
}
