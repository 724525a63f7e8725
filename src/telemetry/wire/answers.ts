import { FIELD } from './otlp.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

const { response: RESPONSE, partialSuccess: PARTIAL_SUCCESS } = FIELD

export type Format = 'protobuf' | 'json'

const REJECTED = { traces: 'rejectedSpans', metrics: 'rejectedDataPoints', logs: 'rejectedLogRecords' } as const

/** The body of an Export*ServiceResponse: empty when all was taken, else how much was not and why. */
export function exportAnswer(signal: keyof typeof REJECTED, format: Format, rejected: number, because: string | null): Uint8Array {
  if (format === 'json') {
    const partialSuccess = rejected === 0 ? {} : { [REJECTED[signal]]: String(rejected), errorMessage: because ?? '' }
    return Buffer.from(JSON.stringify({ partialSuccess }))
  }
  const writer = new ProtobufWriter(64)
  if (rejected > 0)
    writer.message(RESPONSE.partialSuccess, () => {
      writer.varint(PARTIAL_SUCCESS.rejected, rejected)
      writer.text(PARTIAL_SUCCESS.message, because ?? '')
    })
  return writer.finish()
}

/** The body of a refusal: google.rpc.Status. */
export function refusal(format: Format, code: number, message: string): Uint8Array {
  if (format === 'json') return Buffer.from(JSON.stringify({ code, message }))
  const writer = new ProtobufWriter(64)
  writer.varint(1, code)
  writer.text(2, message)
  return writer.finish()
}

/** The same for gRPC, with google.rpc.RetryInfo: in how many seconds to try again. */
export function retryLater(code: number, message: string, seconds: number): Uint8Array {
  const writer = new ProtobufWriter(128)
  writer.varint(1, code)
  writer.text(2, message)
  writer.message(3, () => {
    writer.text(1, 'type.googleapis.com/google.rpc.RetryInfo')
    writer.message(2, () => writer.message(1, () => writer.varint(1, seconds)))
  })
  return writer.finish()
}
