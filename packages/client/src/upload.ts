import type { ClientRequest } from 'node:http'
import { asClientError, type Connection } from './call.ts'
import { problemOf } from './client-error.ts'
import { ROUTES } from './routes.ts'
import { responseTo, textOf } from './transport.ts'

/** A folder of the largest size over a slow line. */
const UPLOAD_TIMEOUT_MS = 30 * 60 * 1000

/** Sends a tar as it is read. A refusal (413, 401) may come before all is sent, and ends the sending. */
export async function uploadTo<Answer>({ transport, identity }: Connection, tar: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Answer> {
  const { method, path } = ROUTES['uploads.create']
  const request = await transport.open(method, path, { ...identity, 'content-type': 'application/x-tar' }, signal)
  const answered = responseTo(request, UPLOAD_TIMEOUT_MS)
  answered.catch(() => {}) // both may fail at once; the race below hears of the first
  const sent = send(request, tar)
  sent.catch(() => {})
  try {
    const response = await Promise.race([answered, sent.then(() => answered)])
    const text = await textOf(response)
    if (response.statusCode !== 201) throw problemOf(response.statusCode ?? 0, text)
    return JSON.parse(text) as Answer
  } catch (error) {
    throw asClientError(transport, error)
  } finally {
    request.destroy()
  }
}

async function send(request: ClientRequest, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of body) {
    if (request.destroyed) return
    if (!request.write(chunk)) await new Promise<void>((resolve) => (request.once('drain', resolve), request.once('close', resolve)))
  }
  request.end()
}
