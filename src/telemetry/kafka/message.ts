import { MalformedJson, otlpFromJson } from '../wire/otlp-json.ts'
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
    return otlpFromZipkin(parse(value))
  }
  return value[0] === BRACE ? otlpFromJson('traces', parse(value)) : value
}

function parse(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString())
  } catch (error) {
    throw new MalformedJson((error as Error).message)
  }
}
