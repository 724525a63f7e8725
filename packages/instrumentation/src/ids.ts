const HEX = Array.from({ length: 65_536 }, (_, value) => value.toString(16).padStart(4, '0'))

/** Ids need to differ, not to be unguessable, and V8 seeds `Math.random` for each process and thread: no loading of node:crypto. */
export function newSpanId(): string {
  const id = word() + word()
  return id === '0000000000000000' ? newSpanId() : id
}

export function newTraceId(): string {
  return newSpanId() + newSpanId()
}

function word(): string {
  const value = (Math.random() * 4_294_967_296) >>> 0
  return (HEX[value >>> 16] ?? '') + (HEX[value & 0xffff] ?? '')
}
