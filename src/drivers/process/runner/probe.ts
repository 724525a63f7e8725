import { connect } from 'node:net'
import type { HealthProbe } from '../../../core/model/app-graph.ts'

export type ProbeResult = { readonly ok: true } | { readonly ok: false; readonly cause: string; readonly nobodyListens: boolean }

const OK: ProbeResult = { ok: true }

/** A trace that was not sampled: nobody wants to see one of each check. */
const NOT_TRACED = `traceparent: 00-${'1'.repeat(32)}-${'1'.repeat(16)}-00`
/** So much of a bad answer is read for the sentence in it. */
const MOST_READ = 2048
const MOST_SAID = 160

/**
 * Asks once, over a plain socket: a status line is all that is needed of a good answer, and of a bad one also the first line of what it says.
 * Good is any status below 400, or the one that is expected.
 *
 * @example await probeNetwork({ kind: 'http', path: '/healthz', port: 'http' }, 20007, 1000)
 * // { ok: false, cause: 'GET /healthz answered 503: not well: the cache is cold', nobodyListens: false }
 */
export function probeNetwork(
  probe: Extract<HealthProbe, { kind: 'http' | 'tcp' }> & { readonly expect?: number },
  port: number,
  timeoutMs: number,
): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const what = probe.kind === 'http' ? `GET ${probe.path}` : `a connection to port ${port}`
    const socket = connect({ host: '127.0.0.1', port })
    let answer = ''
    let status: string | undefined
    const settle = (result: ProbeResult) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    const fail = (cause: string, nobodyListens = false) => settle({ ok: false, cause, nobodyListens })
    const bad = () => fail(`${what} answered ${status}${firstLineOf(answer)}`)
    const timer = setTimeout(() => (status ? bad() : fail(`${what} did not answer within ${timeoutMs} ms`)), timeoutMs)
    socket.on('connect', () => {
      if (probe.kind === 'tcp') return settle(OK)
      const head = [`GET ${probe.path} HTTP/1.1`, `Host: 127.0.0.1:${port}`, 'User-Agent: weir-health', 'Accept: */*', NOT_TRACED, 'Connection: close']
      socket.write(`${head.join('\r\n')}\r\n\r\n`)
    })
    socket.on('data', (chunk) => {
      answer += chunk.toString('utf8')
      if (answer.length < 12) return
      status = /^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1]
      if (!status) return fail(`${what} answered something that is not HTTP`)
      if (probe.expect === undefined ? Number(status) < 400 : Number(status) === probe.expect) return settle(OK)
      if (answer.length >= MOST_READ) bad()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => (status ? bad() : fail(`${what}: ${error.code ?? error.message}`, error.code === 'ECONNREFUSED')))
    socket.on('close', () => (status ? bad() : fail(`${what}: the connection was closed without an answer`)))
  })
}

/** `: what it says`, or nothing where it says nothing that a person would read. */
function firstLineOf(answer: string): string {
  const end = answer.indexOf('\r\n\r\n')
  if (end === -1) return ''
  const body = answer.slice(end + 4)
  const text = /^transfer-encoding:.*chunked/im.test(answer.slice(0, end)) ? body.replace(/^[0-9a-f]+[^\r\n]*\r\n/i, '') : body
  const line =
    text
      .trimStart()
      .split(/[\r\n]/, 1)[0]
      ?.trim() ?? ''
  return line === '' || line.startsWith('<') ? '' : `: ${line.slice(0, MOST_SAID)}`
}
