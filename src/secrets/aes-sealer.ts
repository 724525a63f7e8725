import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { WeirError } from '../errors.ts'
import type { Sealer } from './sealer.ts'

/**
 * Envelope encryption: AES-256-GCM with a fresh data key per value, which is itself sealed by the key of the installation; so a new
 * installation key means wrapping data keys again, not touching values. Both carry the context as additional data.
 *
 *   1 byte version · 12 nonce · 32 wrapped data key · 16 tag · 12 nonce · value · 16 tag
 */
export class AesSealer implements Sealer {
  readonly #key: Uint8Array

  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES) throw new Error(`a key of ${key.length} bytes; it must have ${KEY_BYTES}`)
    this.#key = key
  }

  seal(plain: Uint8Array, context: readonly string[]): Buffer {
    const about = additionalData(context)
    const dataKey = randomBytes(KEY_BYTES)
    const sealed = Buffer.concat([Buffer.of(VERSION), encrypt(this.#key, dataKey, about), encrypt(dataKey, plain, about)])
    dataKey.fill(0)
    return sealed
  }

  open(sealed: Uint8Array, context: readonly string[]): Buffer {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
    const about = additionalData(context)
    try {
      if (bytes[0] !== VERSION) throw new Error('unknown version')
      const dataKey = decrypt(this.#key, bytes.subarray(1, 1 + WRAPPED_BYTES), about)
      const plain = decrypt(dataKey, bytes.subarray(1 + WRAPPED_BYTES), about)
      dataKey.fill(0)
      return plain
    } catch {
      throw new WeirError('E_STATE', {
        message: 'a sealed value cannot be opened',
        cause: 'it was altered, or sealed with another key file',
        next: 'restore the key file that belongs to this database',
      })
    }
  }
}

const VERSION = 1
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES

function encrypt(key: Uint8Array, plain: Uint8Array, about: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(about)
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function decrypt(key: Uint8Array, bytes: Buffer, about: Buffer): Buffer {
  const tagAt = bytes.length - TAG_BYTES
  if (tagAt < NONCE_BYTES) throw new Error('too short')
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(about)
  decipher.setAuthTag(bytes.subarray(tagAt))
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, tagAt)), decipher.final()])
}

/** Lengths in front, so that ['a', 'bc'] and ['ab', 'c'] differ. */
function additionalData(context: readonly string[]): Buffer {
  return Buffer.concat(
    context.flatMap((part) => {
      const text = Buffer.from(part, 'utf8')
      const length = Buffer.alloc(4)
      length.writeUInt32BE(text.length)
      return [length, text]
    }),
  )
}
