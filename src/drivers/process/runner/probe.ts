import { connect } from 'node:net'
import type { HealthProbe } from '../../../core/model/app-graph.ts'

export type ProbeResult = { readonly ok: true } | { readonly ok: false; readonly cause: string; readonly nobodyListens: boolean }

const OK: ProbeResult = { ok: true }

/**
 * Asks once, over a plain socket: a status line is all that is needed of the answer.
 *
 * @example await probeNetwork({ kind: 'http', path: '/healthz', port: 'http' }, 20007, 1000)
 * // { ok: false, cause: 'GET /healthz answered 500', nobodyListens: false }
 */
export function probeNetwork(probe: Extract<HealthProbe, { kind: 'http' | 'tcp' }>, port: number, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const what = probe.kind === 'http' ? `GET ${probe.path}` : `a connection to port ${port}`
    const socket = connect({ host: '127.0.0.1', port })
    let head = ''
    const settle = (result: ProbeResult) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    const fail = (cause: string, nobodyListens = false) => settle({ ok: false, cause, nobodyListens })
    const timer = setTimeout(() => fail(`${what} did not answer within ${timeoutMs} ms`), timeoutMs)
    socket.on('connect', () => {
      if (probe.kind === 'tcp') return settle(OK)
      socket.write(`GET ${probe.path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: weir-health\r\nAccept: */*\r\nConnection: close\r\n\r\n`)
    })
    socket.on('data', (chunk) => {
      head += chunk.toString('latin1')
      if (head.length < 12) return
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]
      if (!status) return fail(`${what} answered something that is not HTTP`)
      settle(Number(status) < 400 ? OK : { ok: false, cause: `${what} answered ${status}`, nobodyListens: false })
    })
    socket.on('error', (error: NodeJS.ErrnoException) => fail(`${what}: ${error.code ?? error.message}`, error.code === 'ECONNREFUSED'))
    socket.on('close', () => fail(`${what}: the connection was closed without an answer`))
  })
}
