/**
 * Process entry of a gateway worker; started by main.ts only. It takes connections on the listening sockets that its parent
 * holds and hands over, and goes on without a parent until the next one tells it to drain.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { statePaths, telemetryConfig } from '../config.ts'
import type { CounterBlock, TableVersion } from '../core/model/routing.ts'
import { Carrier, DEFAULT_LIMITS } from './carrier.ts'
import { type FromWorker, ParentLink, type SocketChange, type SocketMessage, type ToWorker } from './control.ts'
import { TrustedProxies } from './forwarded.ts'
import { SpanBatch } from './span-batch.ts'
import { SpanLink } from './span-link.ts'
import { GatewaySpans } from './spans.ts'

const BLOCK_MS = 1000
/** While somebody waits for a verdict. */
const JUDGED_BLOCK_MS = 250
const INFLIGHT_MS = 100
/** The last spans are not worth a longer wait. */
const LAST_SPANS_MS = 200
/** Blocks kept while there is no parent: an hour's worth, a quarter of it while something is judged. */
const MAX_BLOCKS = 3600

const environment = process.env
const incarnation = randomBytes(8).toString('hex')
const unkept: CounterBlock[] = []
/** Applied, but not all sockets are open that were listed by then: those up to this serial. */
let unacknowledged: { environment: string; version: TableVersion; upTo: number }[] = []
let lastListed = 0
/** Sockets that the parent listed and that do not take connections yet; those handed over and not listed yet; those that take connections. By serial. */
const wanted = new Map<number, string>()
const handed = new Map<number, unknown>()
const open = new Map<number, string>()
let lastInflight = ''
let leaving = false

const batch = new SpanBatch()
const spans = telemetryConfig(environment).on
  ? new GatewaySpans(
      () => performance.timeOrigin + performance.now(),
      (span) => batch.add(span),
    )
  : null
const spanLink = spans && new SpanLink(spans, batch, statePaths(environment).spansSocket, incarnation)

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
  openHanded(message.socket.serial)
})
process.on('disconnect', () => {}) // the parent is gone; its sockets are still open here
process.on('SIGINT', () => {}) // Ctrl-C reaches the whole terminal group; the parent decides
process.on('SIGTERM', () => leave(5000))
process.stderr.on('error', () => {}) // whoever read it is gone

let lastBlockAt = performance.now()
setInterval(() => {
  const now = performance.now()
  if (carrier.directory.judging || now - lastBlockAt > BLOCK_MS - JUDGED_BLOCK_MS / 2) {
    lastBlockAt = now
    closeBlock()
  }
}, JUDGED_BLOCK_MS)
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
      carrier.workers = message.workers
      if (message.sockets !== null && !leaving) changeSockets(message.sockets)
      for (const table of message.tables) unacknowledged.push({ environment: table.environment, version: carrier.apply(table), upTo: lastListed })
      for (const { environment: name, version } of message.withdrawn) {
        carrier.withdraw(name)
        unacknowledged.push({ environment: name, version, upTo: lastListed })
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

function changeSockets({ complete, opened, closed }: SocketChange): void {
  const listed = new Set(opened.map((it) => it.serial))
  for (const serial of complete ? [...open.keys(), ...wanted.keys()].filter((it) => !listed.has(it)) : closed) {
    const key = open.get(serial) ?? wanted.get(serial)
    if (key !== undefined) carrier.close(key)
    open.delete(serial)
    wanted.delete(serial)
    handed.delete(serial)
  }
  for (const { key, serial } of opened) {
    if (open.has(serial) || wanted.has(serial)) continue
    lastListed = serial
    wanted.set(serial, key)
    openHanded(serial)
  }
}

function openHanded(serial: number): void {
  const handle = handed.get(serial)
  const key = wanted.get(serial)
  if (leaving || handle === undefined || key === undefined) return
  handed.delete(serial)
  carrier.open(key, handle, () => {
    if (!wanted.delete(serial)) return
    open.set(serial, key)
    acknowledge()
  })
}

/** What is in flight goes first: whoever sees the acknowledgement must not see older counts beside it. */
function acknowledge(): void {
  // Serials grow, so the first one is the lowest.
  const missing = leaving ? Number.POSITIVE_INFINITY : (wanted.keys().next().value ?? Number.POSITIVE_INFINITY)
  const ready = unacknowledged.filter((it) => it.upTo < missing)
  unacknowledged = unacknowledged.filter((it) => it.upTo >= missing)
  sendInflight()
  for (const { environment: name, version } of ready) parent.send({ kind: 'applied', environment: name, version })
  if (leaving || wanted.size === 0) parent.send({ kind: 'serving' })
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
