import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Reach } from '../reach.ts'
import { resolveInReach } from './resolve.ts'
import { failed, type Sent } from './sent.ts'

const WITHIN_MS = 10_000
/** What an answer may say is of no use; so much is read to end the exchange in order. */
const LARGEST_ANSWER = 64 * 1024

/**
 * One POST on a connection of its own, to an address that was checked before. A redirect is an answer like any other that is no success:
 * nobody is led anywhere.
 */
export async function post(url: URL, headers: Readonly<Record<string, string>>, body: string, reach: Reach, signal: AbortSignal): Promise<Sent> {
  if (url.protocol !== 'https:' && reach === 'internet') return failed('only https: is sent to, unless an admin of the installation allows private addresses')
  const found = await resolveInReach(url.hostname, reach)
  if ('problem' in found) return failed(found.problem)
  const secure = url.protocol === 'https:'
  const hostname = url.hostname.replace(/^\[|\]$/g, '')
  return new Promise((resolve) => {
    const sent = (secure ? httpsRequest : httpRequest)({
      method: 'POST',
      host: found.ip,
      port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
      path: `${url.pathname}${url.search}`,
      headers: {
        host: url.host,
        'user-agent': 'weir',
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        ...headers,
      },
      agent: false,
      setDefaultHeaders: false,
      signal,
      // The name is what the certificate is for, though the connection goes to the number.
      ...(secure ? { servername: found.ip === hostname ? '' : hostname } : {}),
    })
    const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${WITHIN_MS / 1000} s`)), WITHIN_MS)
    const end = (result: Sent) => {
      clearTimeout(timer)
      resolve(result)
      sent.destroy()
    }
    sent.on('error', (error) => end(failed(causeOf(error))))
    sent.on('response', (response) => {
      const { statusCode = 0, headers: answered } = response
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > LARGEST_ANSWER) end(resultOf(statusCode, answered['retry-after']))
      })
      response.on('end', () => end(resultOf(statusCode, answered['retry-after'])))
      response.on('error', (error) => end(failed(causeOf(error))))
      response.on('close', () => end(failed('the answer broke off')))
    })
    sent.end(body)
  })
}

function resultOf(status: number, retryAfter: string | undefined): Sent {
  if (status >= 200 && status < 300) return { outcome: 'delivered' }
  const led = status >= 300 && status < 400 ? ', and redirects are not followed' : ''
  const seconds = /^\d{1,6}$/.test(retryAfter ?? '') ? Number(retryAfter) : null
  return failed(`it answered ${status}${led}`, { retryAfterMs: seconds === null ? null : seconds * 1000, isFinal: status === 410 })
}

function causeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED') return 'the connection was refused'
  return code === undefined || error.message.startsWith('no answer') ? error.message : `the connection failed: ${code}`
}
