/**
 * Sends spans to an intake from a process of its own: `node span-sender.ts PORT KEY SEED`. Each line on standard input asks for one phase,
 * `{"seconds": 10, "perSecond": null}`: without a rate as fast as the intake takes them, sending again what it refused; with a rate on a fixed
 * schedule, sending nothing twice.
 */
import { Agent, request } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { type Body, spanTraffic } from './span-traffic.ts'

export interface Phase {
  readonly seconds: number
  readonly perSecond: number | null
}
export interface Sent {
  readonly elapsedMs: number
  /** Spans. */
  readonly offered: number
  readonly accepted: number
  readonly refused: number
}

const TRACES = 58_000
const LANES = 6
/** On a schedule more requests wait at once, as those of many senders do; beyond, the sender itself is too slow and says so by what it offers. */
const LANES_ON_SCHEDULE = 200

const [port, key, seed] = process.argv.slice(2)
const bodies = [...spanTraffic({ traces: TRACES, startMs: Date.now(), seed: Number(seed) })]
let next = 0

for await (const line of createInterface({ input: process.stdin })) {
  if (line !== '') console.log(JSON.stringify(await run(JSON.parse(line) as Phase)))
  else console.log('{}')
}

async function run({ seconds, perSecond }: Phase): Promise<Sent> {
  const agent = new Agent({ keepAlive: true, maxSockets: perSecond === null ? LANES : LANES_ON_SCHEDULE })
  const begun = performance.now()
  const sent = { offered: 0, accepted: 0, refused: 0 }
  const count = async (body: Body): Promise<boolean> => {
    sent.offered += body.spans
    const taken = (await post(agent, body.gzip)) === 200
    if (taken) sent.accepted += body.spans
    else sent.refused += body.spans
    return taken
  }
  let scheduled = 0
  const lane = async () => {
    while (performance.now() - begun < seconds * 1000) {
      const body = bodies[next++ % bodies.length] as Body
      const dueMs = perSecond === null ? 0 : (scheduled / perSecond) * 1000
      scheduled += body.spans
      if (dueMs > seconds * 1000) return
      await pause(Math.max(0, dueMs - (performance.now() - begun)))
      let taken = await count(body)
      while (!taken && perSecond === null) {
        await pause(100)
        taken = await count(body)
      }
    }
  }
  await Promise.all(Array.from({ length: perSecond === null ? LANES : LANES_ON_SCHEDULE }, lane))
  agent.destroy()
  return { ...sent, elapsedMs: performance.now() - begun }
}

function post(agent: Agent, body: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip', 'content-length': body.length, 'x-weir-key': key }
    const sending = request({ agent, host: '127.0.0.1', port, path: '/v1/traces', method: 'POST', headers }, (response) => {
      const { statusCode = 0 } = response
      response.resume()
      response.on('end', () => (statusCode === 200 || statusCode === 503 ? resolve(statusCode) : reject(new Error(`answered ${statusCode}`))))
    })
    sending.on('error', reject)
    sending.end(body)
  })
}
