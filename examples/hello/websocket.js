import { createHash } from 'node:crypto'

/** The fixed text of RFC 6455, section 1.3. */
const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** Close code 1009. */
const TOO_BIG = Buffer.from([1009 >> 8, 1009 & 255])
const [TEXT, BINARY, CLOSE, PING, PONG] = [1, 2, 8, 9, 10]

/** A WebSocket that says `greeting` and then everything it hears. Takes whole frames of up to 64 KiB. */
export function acceptEcho(request, socket, greeting) {
  const key = request.headers['sec-websocket-key']
  if (!key) return socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')
  const accept = createHash('sha1')
    .update(key + MAGIC)
    .digest('base64')
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`)
  socket.write(frame(TEXT, Buffer.from(greeting)))

  let rest = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (let next = readFrame(rest); next !== null; next = readFrame(rest)) {
      rest = rest.subarray(next.length)
      if (next.opcode === TEXT || next.opcode === BINARY) socket.write(frame(next.opcode, next.payload))
      else if (next.opcode === PING) socket.write(frame(PONG, next.payload))
      else if (next.opcode === CLOSE) return socket.end(frame(CLOSE, next.payload))
    }
  })
}

/** The first frame of `bytes`, or null while it is not complete. Clients always mask. */
function readFrame(bytes) {
  if (bytes.length < 6) return null
  const short = bytes[1] & 127
  if (short === 127) return { opcode: CLOSE, payload: TOO_BIG, length: bytes.length }
  if (short === 126 && bytes.length < 8) return null
  const at = short === 126 ? 4 : 2
  const size = short === 126 ? bytes.readUInt16BE(2) : short
  if (bytes.length < at + 4 + size) return null
  const mask = bytes.subarray(at, at + 4)
  const payload = Buffer.from(bytes.subarray(at + 4, at + 4 + size)).map((byte, index) => byte ^ mask[index & 3])
  return { opcode: bytes[0] & 15, payload: Buffer.from(payload), length: at + 4 + size }
}

/** Nothing here is longer than what a frame with a 16-bit length holds. */
function frame(opcode, body) {
  const head = body.length < 126 ? Buffer.from([128 | opcode, body.length]) : Buffer.from([128 | opcode, 126, body.length >> 8, body.length & 255])
  return Buffer.concat([head, body])
}
