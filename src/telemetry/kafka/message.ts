import { MalformedJson, otlpFromJson } from '../wire/otlp-json.ts'
import { parseJson } from '../wire/parse-json.ts'
import { otlpFromZipkin } from '../wire/zipkin.ts'

export const TOPICS = ['zipkin', 'otlp_spans'] as const
export type Topic = (typeof TOPICS)[number]

const BRACKET = '['.charCodeAt(0)
const BRACE = '{'.charCodeAt(0)

/**
 * The spans of one message as OTLP protobuf. `zipkin` holds Zipkin v2 lists in JSON; `otlp_spans` holds export requests, in protobuf as a rule,
 * in JSON when the first byte is a brace (in protobuf that would be field 15, which there is none of).
 *
 * @example otlpFromMessage('zipkin', Buffer.from('[{"traceId":"…"}]'))
 * @throws MalformedJson
 */
export function otlpFromMessage(topic: Topic, value: Buffer): Uint8Array {
  if (topic === 'zipkin') {
    if (value[0] !== BRACKET) throw new MalformedJson('a list in JSON is expected')
    return otlpFromZipkin(parseJson(value))
  }
  return value[0] === BRACE ? otlpFromJson('traces', parseJson(value)) : value
}
