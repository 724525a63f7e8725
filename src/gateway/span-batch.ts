import type { WaitingSpan } from './spans.ts'

const KINDS = { internal: 1, server: 2, client: 3 } as const
const ERROR = { code: 2 }

/**
 * Spans as OTLP/JSON: one ResourceSpans a replica (or caller, or the gateway). `weir.environment` says whose they are; it is believed only of
 * what comes over the telemetry process's own socket.
 *
 * @example spanBatch(spans.take()) // { resourceSpans: [{ resource: …, scopeSpans: [{ spans: [...] }] }] }
 */
export function spanBatch(spans: readonly WaitingSpan[]): object {
  const byMaker = new Map<string, WaitingSpan[]>()
  for (const span of spans) {
    const maker = `${span.environment} ${span.service} ${span.origin} ${span.replica}`
    const known = byMaker.get(maker)
    if (known) known.push(span)
    else byMaker.set(maker, [span])
  }
  return { resourceSpans: [...byMaker.values()].map((of) => ({ resource: resourceOf(of[0] as WaitingSpan), scopeSpans: [{ spans: of.map(spanOf) }] })) }
}

function resourceOf({ environment, service, origin, replica }: WaitingSpan): object {
  return {
    attributes: [
      text('weir.environment', environment),
      text('service.name', service),
      ...(origin === 0 ? [] : [text('service.version', `v${origin}`)]),
      ...(replica === null ? [] : [text('service.instance.id', replica)]),
    ],
  }
}

function spanOf(span: WaitingSpan): object {
  return {
    traceId: span.trace,
    spanId: span.id,
    ...(span.parent === '' ? {} : { parentSpanId: span.parent }),
    ...(span.tracestate === null ? {} : { traceState: span.tracestate }),
    name: span.name,
    kind: KINDS[span.kind],
    startTimeUnixNano: nanoseconds(span.startMs),
    endTimeUnixNano: nanoseconds(span.endMs),
    attributes: [
      text('http.request.method', span.method),
      text('http.route', span.route),
      { key: 'http.response.status_code', value: { intValue: span.status } },
      ...(span.peer === null ? [] : [text('peer.service', span.peer)]),
    ],
    ...(span.failed ? { status: ERROR } : {}),
  }
}

function text(key: string, value: string): object {
  return { key, value: { stringValue: value } }
}

/** Beyond what a double holds; fractions of a microsecond say nothing. */
function nanoseconds(ms: number): string {
  return `${Math.round(ms * 1000)}000`
}
