import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { group, route, service, table } from './testing.ts'
import { type Carried, speak, startCarrier } from './testing-carrier.ts'

/** What two parsers in a row could read differently. Each must be refused, and not a byte of it reach the service. */
const REFUSED: Readonly<Record<string, string | readonly string[]>> = {
  'Content-Length and Transfer-Encoding':
    'POST / HTTP/1.1\r\nhost: s.test\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nhost: s.test\r\n\r\n',
  'Transfer-Encoding and Content-Length': 'POST / HTTP/1.1\r\nhost: s.test\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n',
  'two different Content-Lengths': 'POST / HTTP/1.1\r\nhost: s.test\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcde',
  'two equal Content-Lengths': 'POST / HTTP/1.1\r\nhost: s.test\r\ncontent-length: 4\r\ncontent-length: 4\r\n\r\nabcd',
  'a list of Content-Lengths': 'POST / HTTP/1.1\r\nhost: s.test\r\ncontent-length: 4, 4\r\n\r\nabcd',
  'a signed Content-Length': 'POST / HTTP/1.1\r\nhost: s.test\r\ncontent-length: +4\r\n\r\nabcd',
  'a negative Content-Length': 'POST / HTTP/1.1\r\nhost: s.test\r\ncontent-length: -1\r\n\r\n',
  'a hexadecimal Content-Length': 'POST / HTTP/1.1\r\nhost: s.test\r\ncontent-length: 0x4\r\n\r\nabcd',
  'a huge Content-Length': 'POST / HTTP/1.1\r\nhost: s.test\r\ncontent-length: 99999999999999999999\r\n\r\n',
  'a Transfer-Encoding nobody knows': 'POST / HTTP/1.1\r\nhost: s.test\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n',
  identity: 'POST / HTTP/1.1\r\nhost: s.test\r\ntransfer-encoding: identity\r\n\r\n',
  'chunked, identity': 'POST / HTTP/1.1\r\nhost: s.test\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n',
  'gzip, chunked': 'POST / HTTP/1.1\r\nhost: s.test\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'chunked twice': 'POST / HTTP/1.1\r\nhost: s.test\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  'Transfer-Encoding with a space before the colon': 'POST / HTTP/1.1\r\nhost: s.test\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n',
  'Content-Length with a space before the colon': 'POST / HTTP/1.1\r\nhost: s.test\r\ncontent-length : 4\r\n\r\nabcd',
  'a vertical tab before chunked': 'POST / HTTP/1.1\r\nhost: s.test\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n',
  'a folded header': 'POST / HTTP/1.1\r\nhost: s.test\r\ntransfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n',
  'a folded ordinary header': 'GET / HTTP/1.1\r\nhost: s.test\r\nx: a\r\n b\r\n\r\n',
  'a header line without a colon': 'GET / HTTP/1.1\r\nhost: s.test\r\nnonsense\r\n\r\n',
  'a NUL in a value': 'GET / HTTP/1.1\r\nhost: s.test\r\nx: a\0b\r\n\r\n',
  'a bare CR in a value': 'GET / HTTP/1.1\r\nhost: s.test\r\nx: a\rtransfer-encoding: chunked\r\n\r\n',
  'a bare LF after a header': 'POST / HTTP/1.1\r\nhost: s.test\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  'bare LFs only': 'GET / HTTP/1.1\nhost: s.test\n\n',
  'a header name with a space': 'GET / HTTP/1.1\r\nhost: s.test\r\nx y: 1\r\n\r\n',
  'a space before the first header': 'GET / HTTP/1.1\r\n host: s.test\r\n\r\n',
  'no Host': 'GET / HTTP/1.1\r\nx: 1\r\n\r\n',
  'two Hosts': 'GET / HTTP/1.1\r\nhost: s.test\r\nhost: other.test\r\n\r\n',
  'a Host with a path': 'GET / HTTP/1.1\r\nhost: s.test/x\r\n\r\n',
  'a Host with userinfo': 'GET / HTTP/1.1\r\nhost: a@s.test\r\n\r\n',
  'an empty Host': 'GET / HTTP/1.1\r\nhost:\r\n\r\n',
  'an absolute target of another host': 'GET http://other.test/ HTTP/1.1\r\nhost: s.test\r\n\r\n',
  'a target without a slash': 'GET admin HTTP/1.1\r\nhost: s.test\r\n\r\n',
  'a target with a fragment': 'GET /a#b HTTP/1.1\r\nhost: s.test\r\n\r\n',
  'a climbing path': 'GET /a/../admin HTTP/1.1\r\nhost: s.test\r\n\r\n',
  'an encoded climbing path': 'GET /a/%2e%2E/admin HTTP/1.1\r\nhost: s.test\r\n\r\n',
  'a path that climbs by an encoded slash': 'GET /a/..%2fadmin HTTP/1.1\r\nhost: s.test\r\n\r\n',
  'Connection naming Authorization': 'GET / HTTP/1.1\r\nhost: s.test\r\nconnection: close, authorization\r\nauthorization: x\r\n\r\n',
  'Connection naming Content-Length': 'POST / HTTP/1.1\r\nhost: s.test\r\nconnection: content-length\r\ncontent-length: 4\r\n\r\nabcd',
  'HTTP/0.9': 'GET /\r\n\r\n',
  'HTTP/3.0 in text': 'GET / HTTP/3.0\r\nhost: s.test\r\n\r\n',
  'no protocol at all': '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03',
  CONNECT: 'CONNECT s.test:80 HTTP/1.1\r\nhost: s.test:80\r\n\r\n',
  'headers of 40 KiB': `GET / HTTP/1.1\r\nhost: s.test\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`,
}

/** Refused in the middle: the head was fine, so the service has seen it, but must never see the end of the request. */
const BAD_CHUNKS: Readonly<Record<string, string>> = {
  'a chunk size that is no number': 'zz\r\nabc\r\n0\r\n\r\n',
  'a negative chunk size': '-1\r\nabc\r\n0\r\n\r\n',
  'a chunk size with 0x': '0x3\r\nabc\r\n0\r\n\r\n',
  'a chunk size over 64 bits': 'ffffffffffffffffff\r\nabc\r\n0\r\n\r\n',
  'a chunk longer than its size': '3\r\nabcd\r\n0\r\n\r\n',
  'a chunk size ended by a bare LF': '3\nabc\r\n0\r\n\r\n',
  'a bare LF in a chunk extension': '3;x\nabc\r\n0\r\n\r\n',
}

describe('requests that could be read in two ways', () => {
  let it: Carried
  let recorder: Server
  let received: string[] = []
  before(async () => {
    it = await startCarrier({ headersMs: 150, lingerMs: 30 })
    recorder = createServer((socket) => {
      let bytes = ''
      socket.on('error', () => {})
      socket.on('data', (chunk) => {
        bytes += chunk.toString('latin1')
        received.push(chunk.toString('latin1'))
        if (!bytes.endsWith('\r\n\r\n') || /transfer-encoding/.test(bytes)) return
        bytes = ''
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
      })
    })
    await new Promise<void>((resolve) => recorder.listen(0, '127.0.0.1', resolve))
    it.carrier.apply(table('s', 1, [route('s.test')], { web: service(group(1, { s1: (recorder.address() as AddressInfo).port })) }))
  })
  after(() => {
    it.carrier.destroy()
    recorder.close()
  })

  for (const [name, bytes] of Object.entries(REFUSED)) {
    test(`${name} is refused`, async () => {
      received = []
      const answer = await speak(it.port, bytes, 400)
      assert.match(answer, /^HTTP\/1\.1 (400|405|408|431|501) /)
      assert.equal(answer.split('HTTP/1.1 ').length, 2, 'one answer, then the end')
      assert.deepEqual(received, [])
    })
  }

  for (const [name, chunks] of Object.entries(BAD_CHUNKS)) {
    test(`${name} ends the request without its end`, async () => {
      received = []
      await speak(it.port, `POST /c HTTP/1.1\r\nhost: s.test\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`, 150)
      assert.ok(!received.some((bytes) => bytes.includes('0\r\n\r\n')), JSON.stringify(received))
    })
  }

  test('an absolute target of the same host is served as its path', async () => {
    received = []
    assert.match(await speak(it.port, 'GET http://s.test/x?y HTTP/1.1\r\nhost: s.test\r\nconnection: close\r\n\r\n'), /^HTTP\/1\.1 200 /)
    assert.match(received.join(), /GET \/x\?y HTTP\/1\.1\r\n/)
  })

  test('spaces too many in the request line do not reach the service', async () => {
    received = []
    assert.match(await speak(it.port, 'GET   /x HTTP/1.1\r\nhost: s.test\r\nconnection: close\r\n\r\n'), /^HTTP\/1\.1 200 /)
    assert.match(received.join(), /GET \/x HTTP\/1\.1\r\n/)
  })

  test('bytes behind a refused request are not taken for another one', async () => {
    received = []
    await speak(it.port, 'GET /a/../b HTTP/1.1\r\nhost: s.test\r\n\r\nGET /second HTTP/1.1\r\nhost: s.test\r\n\r\n', 200)
    assert.deepEqual(received, [])
  })

  test('two requests sent at once get two answers in order', async () => {
    const answer = await speak(it.port, 'GET /1 HTTP/1.1\r\nhost: s.test\r\n\r\nGET /2 HTTP/1.1\r\nhost: s.test\r\nconnection: close\r\n\r\n')
    assert.equal(answer.split('HTTP/1.1 200').length, 3)
  })
})
