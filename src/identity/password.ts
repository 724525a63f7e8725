import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

/** OWASP's figures for scrypt at 32 MiB: N = 2^15, r = 8, p = 3. They stand in each hash, so that they can grow. */
const COST = { log2N: 15, r: 8, p: 3 }
const KEY_BYTES = 32
const SALT_BYTES = 16
/** Each takes 32 MiB and a core for a tenth of a second: the rest wait in line. */
const AT_ONCE = 2

/** @example await hashPassword('correct horse') // 'scrypt$15$8$3$…$…' */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const key = await derive(password, salt, COST)
  return ['scrypt', COST.log2N, COST.r, COST.p, salt.toString('base64url'), key.toString('base64url')].join('$')
}

/** `hash: null` (no such account) takes as long, and is false. */
export async function passwordFits(password: string, hash: string | null): Promise<boolean> {
  const parts = /^scrypt\$(\d+)\$(\d+)\$(\d+)\$([\w-]+)\$([\w-]+)$/.exec(hash ?? '')
  if (!parts) {
    await derive(password, Buffer.alloc(SALT_BYTES), COST)
    return false
  }
  const [, log2N, r, p, salt, expected] = parts as unknown as [string, string, string, string, string, string]
  const key = await derive(password, Buffer.from(salt, 'base64url'), { log2N: Number(log2N), r: Number(r), p: Number(p) })
  const wanted = Buffer.from(expected, 'base64url')
  return wanted.length === key.length && timingSafeEqual(key, wanted)
}

let running = 0
const waiting: (() => void)[] = []

async function derive(password: string, salt: Buffer, { log2N, r, p }: typeof COST): Promise<Buffer> {
  if (running >= AT_ONCE) await new Promise<void>((go) => waiting.push(go))
  else running++
  try {
    return await new Promise((resolve, reject) => {
      const options = { N: 2 ** log2N, r, p, maxmem: 256 * 2 ** log2N * r }
      scrypt(password.normalize('NFKC'), salt, KEY_BYTES, options, (error, key) => (error ? reject(error) : resolve(key)))
    })
  } finally {
    const next = waiting.shift()
    if (next)
      next() // hands its place on
    else running--
  }
}
