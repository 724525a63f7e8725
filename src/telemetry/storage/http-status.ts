import { FIELD, lengthDelimited, varintField } from '../wire/otlp.ts'
import { MalformedProtobuf, ProtobufReader } from '../wire/protobuf-reader.ts'

const { span: SPAN, keyValue: KEY_VALUE, anyValue: ANY_VALUE } = FIELD
const KEYS = ['http.response.status_code', 'http.status_code'].map((key) => Buffer.from(key))

const reader = new ProtobufReader(new Uint8Array(0))

/**
 * The HTTP status of a span as it came, an OTLP `Span` message; 0: it says none. Keys are told apart by length first, so that most attributes
 * cost a look at two bytes.
 */
export function httpStatus(span: Uint8Array): number {
  reader.bytes = span
  reader.at = 0
  try {
    while (reader.at < span.length) {
      const tag = reader.tag(span.length)
      if (tag !== lengthDelimited(SPAN.attributes)) {
        reader.skip(tag, span.length)
        continue
      }
      const end = reader.length(span.length)
      const status = statusOf(end)
      if (status > 0) return status
      reader.at = end
    }
  } catch (error) {
    if (!(error instanceof MalformedProtobuf)) throw error
  }
  return 0
}

/** Of one attribute, whose key comes first as every sender has it. */
function statusOf(end: number): number {
  if (reader.tag(end) !== lengthDelimited(KEY_VALUE.key)) return 0
  const keyEnd = reader.length(end)
  if (!isStatusKey(reader.at, keyEnd)) return 0
  reader.at = keyEnd
  if (reader.at >= end || reader.tag(end) !== lengthDelimited(KEY_VALUE.value)) return 0
  const valueEnd = reader.length(end)
  if (reader.at >= valueEnd) return 0
  const tag = reader.tag(valueEnd)
  if (tag === varintField(ANY_VALUE.int)) return reader.varint(valueEnd)
  if (tag !== lengthDelimited(ANY_VALUE.string)) return 0
  const textEnd = reader.length(valueEnd)
  const text = Buffer.from(reader.bytes.subarray(reader.at, Math.min(textEnd, reader.at + 8))).toString('latin1')
  return Number(text) || 0
}

function isStatusKey(from: number, to: number): boolean {
  for (const key of KEYS) {
    if (to - from !== key.length) continue
    let at = 0
    while (at < key.length && key[at] === reader.bytes[from + at]) at++
    if (at === key.length) return true
  }
  return false
}
