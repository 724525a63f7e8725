/**
 * Asks one address in all the ways that clients do, at a steady pace: `node mixed.ts URL`. Each line on standard input is answered by one
 * line of JSON; `stop` first lets everything under way end. What counts as failed: no answer, another status than 200, another body than
 * was to be echoed, a WebSocket that ends otherwise than with 1012 at a border of messages, an event stream that breaks off.
 */
import { randomUUID } from 'node:crypto'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'

export interface Tally {
  /** All requests and messages that were answered or failed. */
  readonly total: number
  readonly failed: number
  readonly failures: readonly string[]
  readonly kinds: Readonly<Record<Kind, number>>
  /** Long connections that the gateway ended after the grace of a drained replica. */
  readonly drained: number
  readonly releases: readonly string[]
}

type Kind = 'kept' | 'fresh' | 'post' | 'websocket' | 'events'

/** Lanes of each kind and the pause between two requests of a lane. */
const LANES: Readonly<Record<Kind, { readonly lanes: number; readonly pauseMs: number }>> = {
  kept: { lanes: 8, pauseMs: 4 },
  fresh: { lanes: 4, pauseMs: 15 },
  post: { lanes: 4, pauseMs: 12 },
  websocket: { lanes: 8, pauseMs: 20 },
  events: { lanes: 4, pauseMs: 100 },
}
const MOST_FAILURES = 50
const PATIENCE_MS = 30_000

const [url = ''] = process.argv.slice(2)
const kinds: Record<Kind, number> = { kept: 0, fresh: 0, post: 0, websocket: 0, events: 0 }
const releases = new Set<string>()
const failures: string[] = []
let failed = 0
let drained = 0
let running = true

const ONE: Readonly<Record<Kind, () => () => Promise<void>>> = {
  kept: () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    return () => ask('GET', agent)
  },
  fresh: () => () => ask('GET', false),
  post: () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    return () => ask('POST', agent, randomUUID().repeat(1 + Math.floor(kinds.post % 100)))
  },
  websocket: () => converse,
  events: () => listen,
}

const lanes = Object.entries(LANES).flatMap(([kind, { lanes: count, pauseMs }]) =>
  Array.from({ length: count }, async () => {
    const once = ONE[kind as Kind]()
    while (running) {
      try {
        await once()
      } catch (error) {
        fail(kind as Kind, error as Error)
      }
      await pause(pauseMs)
    }
  }),
)

createInterface({ input: process.stdin })
  .on('line', (line) => void answer(line))
  .on('close', () => process.exit(0))

async function answer(line: string): Promise<void> {
  if (line === 'stop') {
    running = false
    await Promise.all(lanes)
  }
  const total = Object.values(kinds).reduce((sum, it) => sum + it, 0)
  process.stdout.write(`${JSON.stringify({ total, failed, failures, kinds, drained, releases: [...releases] } satisfies Tally)}\n`)
}

function fail(kind: Kind, error: Error): void {
  kinds[kind]++
  failed++
  if (failures.length < MOST_FAILURES) failures.push(`${new Date().toISOString()} ${kind}: ${error.message}`)
}

async function ask(method: 'GET' | 'POST', agent: Agent | false, body = ''): Promise<void> {
  const response = await answerTo(method, '', agent, body)
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${text.slice(0, 300)}`)
  const answer = JSON.parse(text) as { release: string; body?: string }
  if (method === 'POST' && answer.body !== body) throw new Error('another body came back')
  releases.add(answer.release)
  kinds[method === 'POST' ? 'post' : agent ? 'kept' : 'fresh']++
}

function answerTo(method: 'GET' | 'POST', path: string, agent: Agent | false, body = ''): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = method === 'POST' ? { 'content-type': 'text/plain', 'content-length': String(Buffer.byteLength(body)) } : {}
    const sent = httpRequest(new URL(path, url), { method, agent, headers, timeout: PATIENCE_MS }, resolve)
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${PATIENCE_MS / 1000} s`)))
    sent.on('error', reject)
    sent.end(body)
  })
}

/** One WebSocket until it is closed; each message that comes back counts. */
function converse(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace(/^http/, 'ws'))
    let expected: string | null = null
    const timer = setTimeout(() => reject(new Error('no handshake')), PATIENCE_MS)
    const say = () => {
      if (!running) return socket.close(1000)
      expected = randomUUID()
      socket.send(expected)
    }
    socket.addEventListener('message', ({ data }) => {
      clearTimeout(timer)
      if (expected === null) releases.add((JSON.parse(String(data)) as { release: string }).release)
      else if (data !== expected) reject(new Error('another message came back'))
      kinds.websocket++
      setTimeout(() => socket.readyState === WebSocket.OPEN && say(), LANES.websocket.pauseMs)
    })
    socket.addEventListener('close', ({ code }) => {
      clearTimeout(timer)
      if (code === 1012) drained++
      else if (code !== 1000) reject(new Error(`closed with ${code}${expected === null ? ' before the first message' : ''}`))
      resolve()
    })
  })
}

/** One event stream until it ends; each event counts. */
async function listen(): Promise<void> {
  const response = await answerTo('GET', `/sse?every=${LANES.events.pauseMs}`, false)
  if (response.statusCode !== 200) throw new Error(`events: ${response.statusCode}`)
  let rest = ''
  let last = 0
  for await (const chunk of response.setEncoding('utf8')) {
    const events = (rest + String(chunk)).split('\n\n')
    rest = events.pop() ?? ''
    for (const event of events) {
      const id = Number(/^id: (\d+)$/m.exec(event)?.[1])
      if (id !== last + 1) throw new Error(`event ${id} after ${last}`)
      last = id
      kinds.events++
    }
    if (!running) {
      response.destroy()
      return
    }
  }
  if (last === 0 || rest !== '') throw new Error(`the stream ended inside event ${last + 1}`)
  drained++
}
