/**
 * A 64-bit FNV-1a digest of `text` as 16 hex digits, as two 32-bit halves with different offsets. It tells equal from changed;
 * it is no protection against anybody who wants two texts to collide.
 *
 * Source: Fowler, Noll, Vo, "FNV hash", the 32-bit prime 16777619.
 *
 * @example textDigest('a') === textDigest('a') // true
 */
export function textDigest(text: string): string {
  let a = 0x811c9dc5
  let b = 0x9dc5811c
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 16777619)
    b = Math.imul(b ^ (unit + i), 16777619)
  }
  return (a >>> 0).toString(16).padStart(8, '0') + (b >>> 0).toString(16).padStart(8, '0')
}
