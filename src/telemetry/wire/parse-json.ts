import { MalformedJson } from './otlp-json.ts'

/** Values, lists and objects of one body: each takes some hundred bytes on its way to protobuf, though `{},` is only three. */
export const MAX_JSON_VALUES = 500_000
const COMMA = ','.charCodeAt(0)
const BRACE = '{'.charCodeAt(0)
const BRACKET = '['.charCodeAt(0)

/**
 * A body that is JSON. How much it holds is counted before it is parsed, by its commas and brackets, those inside texts too.
 *
 * @example otlpFromJson('traces', parseJson(body))
 * @throws MalformedJson
 */
export function parseJson(body: Uint8Array): unknown {
  let values = 0
  for (const byte of body) if (byte === COMMA || byte === BRACE || byte === BRACKET) values++
  if (values > MAX_JSON_VALUES) throw new MalformedJson(`The body holds ${values} values; ${MAX_JSON_VALUES} are the most.`)
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString())
  } catch (error) {
    throw new MalformedJson(`The body is no JSON: ${(error as Error).message}`)
  }
}
