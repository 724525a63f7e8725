import { answers, asks, enters, type Scratch } from './scratch.ts'
import type { SpanColumns } from './spans.ts'

/**
 * Calls from one service to another: a client with the server that answered it, a server whose caller made no client span (client −1), and a
 * client that nobody is known to have answered (callee −1): a database, a third party, or a server whose span was lost.
 *
 * What a client waited beyond its server is charged to the callee: a server span begins only after the queue in front of it.
 */
export function findCalls(s: Scratch, spans: SpanColumns, rows: Int32Array, length: number): number {
  let calls = 0
  for (let at = 0; at < length; at++) {
    const p = s.order[at] as number
    s.chargedTo[p] = p
    const parent = s.parents[p] as number
    if (parent >= 0 && !asks(s.kind[parent] as number) && enters(s, p, parent)) calls = note(s, calls, -1, parent, p)
    if (asks(s.kind[p] as number)) calls = callsOfClient(s, p, calls)
  }
  markRetries(s, spans, rows, calls)
  return calls
}

function callsOfClient(s: Scratch, client: number, before: number): number {
  let calls = before
  let wraps = false
  const until = s.firstChild[client + 1] as number
  for (let at = s.firstChild[client] as number; at < until; at++) {
    const child = s.children[at] as number
    if (answers(s.kind[child] as number) || s.service[child] !== s.service[client]) {
      calls = note(s, calls, client, client, child)
      if (s.chargedTo[client] === client && s.waited[child] === 1) {
        s.chargedTo[client] = child
        s.callGapUs[calls - 1] = s.exclusiveUs[client] as number
      }
    } else if (asks(s.kind[child] as number)) {
      wraps = true
    }
  }
  return calls === before && !wraps ? note(s, calls, client, client, -1) : calls
}

function note(s: Scratch, calls: number, client: number, caller: number, callee: number): number {
  s.callClient[calls] = client
  s.callCaller[calls] = caller
  s.callCallee[calls] = callee
  s.callGapUs[calls] = 0
  s.callRetry[calls] = 0
  return calls + 1
}

/** A retry: the same operation, asked of the same service by the same parent, after it had failed. */
function markRetries(s: Scratch, spans: SpanColumns, rows: Int32Array, calls: number): void {
  let failures = 0
  const mask = s.slots.length - 1
  for (let call = 0; call < calls; call++) {
    if (!failed(s, spans, rows, call)) continue
    if (failures++ === 0) s.slots.fill(-1)
    const slot = slotOf(s, spans, rows, call, mask)
    const first = s.slots[slot] as number
    if (first < 0 || endOf(s, call) < endOf(s, first)) s.slots[slot] = call
  }
  if (failures === 0) return
  for (let call = 0; call < calls; call++) {
    const first = s.slots[slotOf(s, spans, rows, call, mask)] as number
    if (first >= 0 && first !== call && (s.startUs[ownerOf(s, call)] as number) >= endOf(s, first)) s.callRetry[call] = 1
  }
}

function slotOf(s: Scratch, spans: SpanColumns, rows: Int32Array, call: number, mask: number): number {
  let h = Math.imul((parentOf(s, call) + 1) ^ Math.imul(operationOf(s, spans, rows, call), 0x9e3779b1), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 15) ^ targetOf(s, spans, rows, call), 0xc2b2ae35)
  let slot = (h ^ (h >>> 16)) & mask
  for (;;) {
    const other = s.slots[slot] as number
    if (other < 0 || sameCall(s, spans, rows, other, call)) return slot
    slot = (slot + 1) & mask
  }
}

function sameCall(s: Scratch, spans: SpanColumns, rows: Int32Array, a: number, b: number): boolean {
  return (
    parentOf(s, a) === parentOf(s, b) &&
    operationOf(s, spans, rows, a) === operationOf(s, spans, rows, b) &&
    targetOf(s, spans, rows, a) === targetOf(s, spans, rows, b)
  )
}

/** The span that the call is seen by: the client, else the callee. */
function ownerOf(s: Scratch, call: number): number {
  const client = s.callClient[call] as number
  return client >= 0 ? client : (s.callCallee[call] as number)
}

function parentOf(s: Scratch, call: number): number {
  return s.parents[ownerOf(s, call)] as number
}

function operationOf(s: Scratch, spans: SpanColumns, rows: Int32Array, call: number): number {
  return spans.operation[rows[ownerOf(s, call)] as number] as number
}

function targetOf(s: Scratch, spans: SpanColumns, rows: Int32Array, call: number): number {
  const callee = s.callCallee[call] as number
  const client = s.callClient[call] as number
  const peer = client >= 0 ? (spans.peer[rows[client] as number] as number) : 0
  return callee >= 0 ? (s.service[callee] as number) : peer
}

function endOf(s: Scratch, call: number): number {
  return s.endUs[ownerOf(s, call)] as number
}

function failed(s: Scratch, spans: SpanColumns, rows: Int32Array, call: number): boolean {
  const client = s.callClient[call] as number
  const callee = s.callCallee[call] as number
  return (client >= 0 && spans.failed[rows[client] as number] === 1) || (callee >= 0 && spans.failed[rows[callee] as number] === 1)
}
