import { KIND, type Names, type Span, type SpanColumns } from './spans.ts'

/**
 * Spans in words as columns, for examples, tests and small inputs.
 *
 * @example const { columns, rows, names } = columnsOf([{ trace: 'a1'…, id: '01'…, service: 'web', operation: 'GET /', kind: 'server', … }])
 */
export function columnsOf(spans: readonly Span[]): { columns: SpanColumns; rows: Int32Array; names: Names } {
  const size = spans.length
  const texts = ['']
  const numbers = new Map([['', 0]])
  const intern = (text = '') => {
    const known = numbers.get(text)
    if (known !== undefined) return known
    numbers.set(text, texts.length)
    return texts.push(text) - 1
  }
  const column = (text: (span: Span) => string | undefined) => Uint32Array.from(spans, (span) => intern(text(span)))
  const words = (count: number, hex: (span: Span) => string) => Uint32Array.from(spans.flatMap((span) => wordsOf(hex(span), count)))
  const columns: SpanColumns = {
    size,
    trace: words(4, ({ trace }) => trace),
    id: words(2, ({ id }) => id),
    parent: words(2, ({ parent = '' }) => parent),
    startUs: Float64Array.from(spans, ({ startUs }) => startUs),
    durationUs: Float64Array.from(spans, ({ durationUs }) => durationUs),
    service: column(({ service }) => service),
    operation: column(({ operation }) => operation),
    peer: column(({ peer }) => peer),
    instance: column(({ instance }) => instance),
    release: column(({ release }) => release),
    kind: Uint8Array.from(spans, ({ kind }) => KIND[kind]),
    failed: Uint8Array.from(spans, ({ failed }) => (failed === true ? 1 : 0)),
    weight: Float32Array.from(spans, ({ weight = 1 }) => weight),
  }
  return { columns, rows: Int32Array.from(spans, (_, row) => row), names: { text: (id) => texts[id] ?? '' } }
}

/** @example wordsOf('0af7651916cd43dd', 4) // [0, 0, 0x0af76519, 0x16cd43dd] */
function wordsOf(hex: string, count: number): number[] {
  const padded = hex.padStart(count * 8, '0').slice(-count * 8)
  return Array.from({ length: count }, (_, at) => Number.parseInt(padded.slice(at * 8, at * 8 + 8), 16))
}
