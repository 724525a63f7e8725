/**
 * JSON text that PostgreSQL takes: it knows neither U+0000 nor half a surrogate pair, and both can stand in what a process printed.
 *
 * @example storable({ line: 'a\u0000b' }) // '{"line":"a\ufffdb"}'
 */
export function storable(value: unknown): string {
  const text = JSON.stringify(value)
  return /\\u(0000|d[89a-f])/i.test(text) ? JSON.stringify(clean(value)) : text
}

function clean(value: unknown): unknown {
  if (typeof value === 'string') return cleanText(value)
  if (Array.isArray(value)) return value.map(clean)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [cleanText(key), clean(inner)]))
}

/** The same for a plain text column. */
export function cleanText(text: string): string {
  return text.replaceAll('\u0000', '\ufffd').toWellFormed()
}
