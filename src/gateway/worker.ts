/**
 * Process entry of a gateway worker; started by main.ts only. It takes connections on the listening sockets that its parent
 * holds and hands over, and goes on without a parent until the next one tells it to drain.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { statePaths, telemetryConfig } from '../config.ts'
import type { CounterBlock, TableVersion } from '../core/model/routing.ts'
import { Carrier, DEFAULT_LIMITS } from './carrier.ts'
import { type FromWorker, ParentLink, type SocketMessage, type SocketName, type ToWorker } from './control.ts'
import { TrustedProxies } from './forwarded.ts'
import { SpanLink } from './span-link.ts'
import { GatewaySpans } from './spans.ts'

const BLOCK_MS = 1000
const INFLIGHT_MS = 100
/** The last spans are not worth a longer wait. */
const LAST_SPANS_MS = 200
/** Blocks kept while there is no parent: an hour's worth. */
const MAX_BLOCKS = 3600

const environment = process.env
const incarnation = randomBytes(8).toString('hex')
const unkept: CounterBlock[] = []
/** Applied, but not all of its sockets are open yet. */
let unacknowledged: { environment: string; version: TableVersion }[] = []
/** Sockets as the parent last listed them; those handed over; those that take connections. By serial. */
let listed: readonly SocketName[] = []
const handed = new Map<number, unknown>()
const open = new Map<number, string>()
let lastInflight = ''
let leaving = false

const spans = telemetryConfig(environment).on ? new GatewaySpans(() => performance.timeOrigin + performance.now()) : null
const spanLink = spans && new SpanLink(spans, statePaths(environment).spansSocket, incarnation)

const carrier = new Carrier({
  incarnation,
  key: environment['WEIR_GATEWAY_KEY'] as string,
  trusted: new TrustedProxies((environment['WEIR_TRUSTED_PROXIES'] ?? '').split(',').filter((block) => block !== '')),
  limits: DEFAULT_LIMITS,
  random: Math.random,
  wall: Date.now,
  onIdle: () => sendInflight(),
  spans,
})

const parent = new ParentLink(environment['WEIR_GATEWAY_CONTROL'] as string, greet, receive)

process.on('message', (message: SocketMessage, handle: unknown) => {
  handed.set(message.socket.serial, handle)
  openListed()
})
process.on('disconnect', () => {}) // the parent is gone; its sockets are still open here
process.on('SIGINT', () => {}) // Ctrl-C reaches the whole terminal group; the parent decides
process.on('SIGTERM', () => leave(5000))
process.stderr.on('error', () => {}) // whoever read it is gone

setInterval(closeBlock, BLOCK_MS)
setInterval(sendInflight, INFLIGHT_MS)
let lastUtilisation = performance.eventLoopUtilization()
setInterval(() => {
  const now = performance.eventLoopUtilization()
  parent.send({ kind: 'busy', share: performance.eventLoopUtilization(now, lastUtilisation).utilization })
  lastUtilisation = now
}, BLOCK_MS)

function greet(): void {
  parent.send({ kind: 'hello', incarnation, generation: environment['WEIR_GATEWAY_GENERATION'] as string, pid: process.pid })
  for (const [name, version] of carrier.versions()) parent.send({ kind: 'applied', environment: name, version })
  lastInflight = ''
  sendInflight()
  for (const block of unkept) parent.send({ kind: 'block', block })
}

function receive(message: ToWorker): void {
  switch (message.kind) {
    case 'sync':
      for (const table of message.tables) {
        carrier.apply(table)
        unacknowledged.push({ environment: table.environment, version: carrier.versions().get(table.environment) as TableVersion })
      }
      for (const it of message.withdrawn) {
        carrier.withdraw(it.environment)
        unacknowledged.push(it)
      }
      if (message.sockets !== null && !leaving) {
        listed = message.sockets
        closeUnlisted()
        openListed()
      }
      acknowledge()
      break
    case 'kept':
      while (unkept.length > 0 && (unkept[0] as CounterBlock).sequence <= message.sequence) unkept.shift()
      break
    case 'drain':
      leave(null)
      break
    case 'stop':
      leave(message.graceMs)
      break
  }
}

function openListed(): void {
  if (leaving) return
  for (const { key, serial } of listed) {
    const handle = handed.get(serial)
    if (handle === undefined) continue
    handed.delete(serial)
    carrier.open(key, handle, () => {
      open.set(serial, key)
      acknowledge()
    })
  }
}

function closeUnlisted(): void {
  const serials = new Set(listed.map((it) => it.serial))
  for (const [serial, key] of open) {
    if (serials.has(serial)) continue
    carrier.close(key)
    open.delete(serial)
  }
}

/** What is in flight goes first: whoever sees the acknowledgement must not see older counts beside it. */
function acknowledge(): void {
  if (!leaving && listed.some((it) => !open.has(it.serial))) return
  sendInflight()
  for (const it of unacknowledged) parent.send({ kind: 'applied', ...it })
  unacknowledged = []
  parent.send({ kind: 'serving' })
}

function sendInflight(): void {
  const counts = carrier.directory.inflight()
  const text = JSON.stringify(counts)
  if (text === lastInflight) return
  if (parent.send({ kind: 'inflight', counts } satisfies FromWorker)) lastInflight = text
}

function closeBlock(): void {
  const block = carrier.closeBlock()
  if (block === null) return
  if (unkept.length >= MAX_BLOCKS) unkept.shift()
  unkept.push(block)
  parent.send({ kind: 'block', block })
}

/** Ends with the last connection; with a grace, what is long-lived is closed now and the rest at its end. */
function leave(graceMs: number | null): void {
  if (!leaving) {
    leaving = true
    carrier.drain()
    acknowledge()
    setInterval(() => carrier.connections === 0 && void end(), 20)
  }
  if (graceMs === null) return
  carrier.closeLongLived()
  setTimeout(() => {
    carrier.destroy()
    void end()
  }, graceMs)
}

let ending = false
async function end(): Promise<void> {
  if (ending) return
  ending = true
  closeBlock()
  await Promise.race([spanLink?.close(), sleep(LAST_SPANS_MS)])
  await parent.close()
  process.exit(0)
}
