/** Numbers with units. Each reader returns null for what it does not understand. */

const DURATION = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const BYTES = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const

/** @example parseDuration('1m30s') // 90000 */
export function parseDuration(text: string): number | null {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return null
  let total = 0
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) total += Number(number) * DURATION[unit as keyof typeof DURATION]
  return Math.round(total)
}

/** @example parseBytes('256MiB') // 268435456 */
export function parseBytes(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$/.exec(text)
  return match ? Math.round(Number(match[1]) * BYTES[match[2] as keyof typeof BYTES]) : null
}

/** Compose's units, in which `k`, `m`, `g` mean powers of 1024. @example parseComposeBytes('64m') // 67108864 */
export function parseComposeBytes(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(b|k|kb|m|mb|g|gb)?$/i.exec(text.trim())
  if (!match) return null
  const power = { b: 0, k: 1, m: 2, g: 3 }[(match[2]?.[0] ?? 'b').toLowerCase() as 'b' | 'k' | 'm' | 'g']
  return Math.round(Number(match[1]) * 1024 ** power)
}

/** A share of 1, exact to nine digits. @example parsePercent('99.9%') // 0.999 */
export function parsePercent(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text)
  const share = match ? Math.round(Number(match[1]) * 1e7) / 1e9 : null
  return share !== null && share <= 1 ? share : null
}

/** Per second. @example parseRate('600/min') // 10 */
export function parseRate(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\/(s|min|h)$/.exec(text)
  return match ? Number(match[1]) / { s: 1, min: 60, h: 3600 }[match[2] as 's' | 'min' | 'h'] : null
}
