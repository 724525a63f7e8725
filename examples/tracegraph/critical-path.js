// Which part of a request does its caller wait for, and who has to answer for it? Run: node examples/tracegraph/critical-path.js
import { columnsOf, createAnalyser } from 'weir/tracegraph'

const trace = '0af7651916cd43dd8448eb211c80319c'
const ms = 1000
const noon = 1_767_268_800_000 * ms
const spans = [
  { trace, id: 'a1', service: 'web', operation: 'GET /cart', kind: 'server', startUs: noon, durationUs: 100 * ms },
  { trace, id: 'b1', parent: 'a1', service: 'web', operation: 'GET /price', kind: 'client', startUs: noon + 10 * ms, durationUs: 70 * ms },
  { trace, id: 'c1', parent: 'b1', service: 'pricing', operation: 'GET /price', kind: 'server', startUs: noon + 30 * ms, durationUs: 40 * ms },
  { trace, id: 'd1', parent: 'a1', service: 'web', operation: 'GET /stock', kind: 'client', peer: 'stock', startUs: noon + 10 * ms, durationUs: 50 * ms },
]

const { columns, rows } = columnsOf(spans)
const { criticalUs, dragUs, chargedTo } = createAnalyser().analyse(columns, rows, rows.length)
spans.forEach(({ service, operation, kind }, at) => {
  const answers = spans[chargedTo[at]].service
  console.log(
    `${kind} ${service} ${operation}: ${criticalUs[at] / ms} ms on the critical path, ${answers} answers for it; at most ${dragUs[at] / ms} ms to gain`,
  )
})
