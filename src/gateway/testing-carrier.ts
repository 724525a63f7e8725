/** One worker's traffic inside the test's own process, with limits of milliseconds. */
import { connect } from 'node:net'
import { Carrier, type CarrierLimits, DEFAULT_LIMITS } from './carrier.ts'
import { TrustedProxies } from './forwarded.ts'
import { GatewaySpans } from './spans.ts'
import { freePort } from './testing.ts'

export interface Carried {
  readonly carrier: Carrier
  readonly port: number
}

export async function startCarrier(limits: Partial<CarrierLimits> = {}, trusted: readonly string[] = []): Promise<Carried> {
  const port = await freePort()
  const carrier = new Carrier({
    incarnation: 'test',
    key: 'key of the test',
    trusted: new TrustedProxies(trusted),
    limits: { ...DEFAULT_LIMITS, tickMs: 5, ...limits },
    random: Math.random,
    wall: Date.now,
    onIdle: () => {},
    spans: new GatewaySpans(Date.now, () => {}),
  })
  await new Promise<void>((resolve) => carrier.open('public', { host: '127.0.0.1', port }, resolve))
  return { carrier, port }
}

/** Sends bytes as they are and gives back what came until the other side closed, or `forMs` is over. */
export function speak(port: number, bytes: string | readonly string[], forMs = 300): Promise<string> {
  return new Promise((resolve) => {
    let heard = ''
    const socket = connect(port, '127.0.0.1', () => {
      for (const part of typeof bytes === 'string' ? [bytes] : bytes) socket.write(part, 'latin1')
    })
    const timer = setTimeout(() => socket.destroy(), forMs)
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(heard)
    })
  })
}
