import { WeirError } from '../errors.ts'
import type { Handler } from './route.ts'

/** A tar, taken in as it comes; more than the limit is cut off. The same content twice is the same upload, so no key is needed. */
export const receiveUpload: Handler<'uploads.create'> = async (call) => {
  const limit = call.options.limits.uploadBytes
  if (call.headers['content-type'] !== 'application/x-tar') {
    throw new WeirError('E_USAGE', {
      message: 'an upload is a tar',
      cause: `content-type ${call.headers['content-type'] ?? 'is missing'}`,
      next: 'send content-type: application/x-tar',
    })
  }
  if (Number(call.headers['content-length'] ?? 0) > limit) throw tooLarge(limit)
  return call.ports.uploads.receive(call.tenant, capped(call.raw, limit))
}

async function* capped(stream: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of stream) {
    bytes += chunk.length
    if (bytes > limit) throw tooLarge(limit)
    yield chunk
  }
}

function tooLarge(limit: number): WeirError {
  return new WeirError('E_TOO_LARGE', {
    message: 'the upload is too large',
    cause: `over ${Math.floor(limit / 1024 ** 2)} MiB`,
    next: 'list what is not needed in .weirignore',
  })
}
