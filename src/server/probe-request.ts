import { request } from 'node:http'
import type { DueProbe, ProbeResult } from '../core/probes/probes.ts'

/** A larger answer is not read to its end. */
const MOST_BYTES = 2 ** 20
/** Where the gateway listens on all addresses of the machine, the one that it has for certain. */
const LOCAL: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/**
 * Asks as a user would: through the gateway, on a connection of its own, following no redirect. It brings a trace that is not to be kept.
 *
 * @example await askProbe({ host: '127.0.0.1', port: 80 }, (bytes) => random.hex(bytes))(due) // { ok: false, cause: 'answered 503 instead of 200', … }
 */
export function askProbe(gateway: { readonly host: string; readonly port: number }, hex: (bytes: number) => string) {
  const host = LOCAL[gateway.host] ?? gateway.host
  return async (probe: DueProbe, signal: AbortSignal): Promise<ProbeResult> => {
    const begunMs = performance.now()
    const cause = await causeOfFailure(probe, { host, port: probe.port ?? gateway.port, signal }, hex)
    const { environment, service, probe: name } = probe
    return { environment, service, probe: name, ok: cause === null, durationMs: performance.now() - begunMs, cause }
  }
}

interface Way {
  readonly host: string
  readonly port: number
  readonly signal: AbortSignal
}

function causeOfFailure(probe: DueProbe, to: Way, hex: (bytes: number) => string): Promise<string | null> {
  return new Promise((resolve) => {
    const headers = {
      'user-agent': 'weir-probe',
      traceparent: `00-${hex(16)}-${hex(8)}-00`,
      connection: 'close',
      ...(probe.host === null ? {} : { host: probe.host }),
    }
    const sent = request({ ...to, path: probe.path, headers, agent: false }, (answer) => {
      const status = answer.statusCode === probe.expect ? null : `answered ${answer.statusCode} instead of ${probe.expect}`
      let bytes = 0
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > MOST_BYTES) end(status)
      })
      answer.on('end', () => end(status))
      answer.on('error', (error) => end(`the answer broke off: ${error.message}`))
    })
    const timer = setTimeout(() => end(`no complete answer in ${probe.timeoutMs} ms`), probe.timeoutMs)
    const end = (cause: string | null) => {
      clearTimeout(timer)
      resolve(cause)
      sent.destroy()
    }
    sent.on('error', (error) => end(`no answer: ${error.message}`))
    sent.end()
  })
}
