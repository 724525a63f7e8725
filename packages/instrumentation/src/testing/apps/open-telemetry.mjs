// Uses the OpenTelemetry API and, when told so, brings an SDK of its own: after its first request, as late as can be.
import { createServer } from 'node:http'
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'

const tracer = trace.getTracer('app')
const made = []
const sdk = {
  getTracer: () => ({
    startSpan: (name) => (made.push(name), trace.wrapSpanContext({ traceId: 'f'.repeat(32), spanId: 'e'.repeat(16), traceFlags: 1 })),
    startActiveSpan: (name, ...rest) => (
      made.push(name), rest.at(-1)(trace.wrapSpanContext({ traceId: 'f'.repeat(32), spanId: 'e'.repeat(16), traceFlags: 1 }))
    ),
  }),
}

const server = createServer(async (request, response) => {
  const self = `http://127.0.0.1:${server.address().port}`
  if (request.url === '/echo') return response.end(JSON.stringify(request.headers))
  if (request.url === '/register') return response.end(String(trace.setGlobalTracerProvider(sdk)))
  if (request.url === '/made') return response.end(JSON.stringify(made))
  if (request.url === '/manual') {
    const span = tracer.startSpan('by hand', { kind: SpanKind.CLIENT, startTime: new Date(Date.now() - 1000) })
    await context.with(trace.setSpan(context.active(), span), () => fetch(`${self}/echo`))
    span.end()
    return response.end(trace.getActiveSpan()?.spanContext().traceId)
  }
  return tracer.startActiveSpan('price the cart', { attributes: { items: 3, list: ['a', 'b'] } }, async (span) => {
    span.addEvent('priced', { total: 9.5 }).setStatus({ code: SpanStatusCode.ERROR, message: 'too dear' })
    span.recordException(new RangeError('no such price'))
    const answer = await fetch(`${self}/echo`)
    const text = await answer.text()
    span.end()
    response.end(text)
  })
})
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
