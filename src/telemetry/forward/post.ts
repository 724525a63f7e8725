import http from 'node:http'
import https from 'node:https'
import { type Headers, withoutSecrets } from '../credentials.ts'

export type Delivered =
  | { readonly taken: true }
  /** `again`: it may be taken later, if what is wrong is mended. */
  | { readonly taken: false; readonly problem: string; readonly again: boolean; readonly retryAfterMs: number }

/** Statuses after which OTLP's clients try again; of those of Zipkin, 503 comes when its storage is away. */
const AGAIN = new Set([408, 429, 502, 503, 504])
const SHOWN = 200

const agents = { 'http:': new http.Agent({ keepAlive: true, maxSockets: 2 }), 'https:': new https.Agent({ keepAlive: true, maxSockets: 2 }) }

/** POSTs `body`; whatever becomes of it is the answer. */
export function post(url: URL, headers: Headers, body: Buffer, withinMs: number, signal: AbortSignal): Promise<Delivered> {
  const secure = url.protocol === 'https:'
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve({ taken: false, problem: error.message || error.name, again: true, retryAfterMs: 0 })
    const request = (secure ? https : http).request(
      url,
      {
        method: 'POST',
        agent: secure ? agents['https:'] : agents['http:'],
        headers: { ...headers, 'content-length': body.length },
        signal: AbortSignal.any([signal, AbortSignal.timeout(withinMs)]),
      },
      (response) => {
        const status = response.statusCode ?? 0
        let answer = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (answer = (answer + chunk).slice(0, SHOWN)))
        response.on('error', failed)
        response.on('end', () => {
          if (status >= 200 && status < 300) return resolve({ taken: true })
          const retryAfterMs = Number(response.headers['retry-after'] ?? 0) * 1000 || 0
          const said = answer === '' ? '' : `: ${withoutSecrets(answer, headers)}`
          resolve({ taken: false, problem: `it answered ${status}${said}`, again: AGAIN.has(status), retryAfterMs })
        })
      },
    )
    request.on('error', failed)
    request.end(body)
  })
}
