import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ResponseHead, ResponseParser } from './response-parser.ts'

interface Heard {
  head: ResponseHead | null
  body: string
  trailers: readonly string[] | null
}

function parse(bytes: string, cuts: readonly number[] = [], method = 'GET', close = false): Heard {
  const heard: Heard = { head: null, body: '', trailers: null }
  const parser = new ResponseParser()
  parser.expect(method, {
    onHead: (head) => {
      heard.head = head
    },
    onBody: (chunk) => {
      heard.body += chunk.toString('latin1')
    },
    onEnd: (trailers) => {
      heard.trailers = trailers
    },
  })
  const edges = [0, ...[...cuts].map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length]
  for (let at = 1; at < edges.length; at++) parser.push(Buffer.from(bytes.slice(edges[at - 1], edges[at]), 'latin1'))
  if (close) parser.close()
  return heard
}

const CHUNKED =
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n5;ext=1\r\nhello\r\n7 \r\n, world\r\n0\r\nX-Sum: 12\r\nX-B: 2\r\n\r\n'
const LENGTH = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello'

test('however the bytes are cut, the answer is the same', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(500), { maxLength: 30 }), (cuts) => {
      const chunked = parse(CHUNKED, cuts)
      assert.equal(chunked.head?.reason, 'Fine')
      assert.equal(chunked.body, 'hello, world')
      assert.deepEqual(chunked.trailers, ['X-Sum', '12', 'X-B', '2'])
      assert.equal(parse(LENGTH, cuts).body, 'hello')
    }),
  )
})

test('a body without length ends with the connection', () => {
  const heard = parse('HTTP/1.1 200 OK\r\n\r\nabc', [], 'GET', true)
  assert.deepEqual([heard.body, heard.trailers, heard.head?.keepAlive], ['abc', [], false])
})

test('HEAD, 204 and 304 have no body, whatever the length says', () => {
  for (const [bytes, method] of [
    ['HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n', 'HEAD'],
    ['HTTP/1.1 204 No Content\r\n\r\n', 'GET'],
    ['HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n', 'GET'],
  ] as const) {
    const heard = parse(bytes, [], method)
    assert.deepEqual([heard.trailers, heard.head?.empty], [[], true])
  }
})

test('whether the connection may be used again', () => {
  const keepAlive = (head: string) => parse(`${head}content-length: 0\r\n\r\n`).head?.keepAlive
  assert.equal(keepAlive('HTTP/1.1 200 OK\r\n'), true)
  assert.equal(keepAlive('HTTP/1.1 200 OK\r\nConnection: close\r\n'), false)
  assert.equal(keepAlive('HTTP/1.0 200 OK\r\n'), false)
  assert.equal(keepAlive('HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n'), true)
})

const BAD: Readonly<Record<string, string>> = {
  'no HTTP at all': 'SSH-2.0-OpenSSH\r\n\r\n',
  'a status that is no number': 'HTTP/1.1 2x0 OK\r\n\r\n',
  'two different lengths': 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
  'length and chunks': 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
  'an unknown coding': 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n',
  'a folded line': 'HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n',
  'a space before the colon': 'HTTP/1.1 200 OK\r\nx : a\r\n\r\n',
  'a bare LF in a value': 'HTTP/1.1 200 OK\r\nx: a\nset-cookie: b\r\n\r\n',
  'a bad chunk size': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n',
  'a chunk longer than its size': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n',
  'a head without end': `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(70_000)}`,
}
for (const [what, bytes] of Object.entries(BAD)) {
  test(`${what} is refused`, () => {
    assert.throws(() => parse(bytes))
  })
}

test('bytes behind an answer make it unclean, and are never the answer to the request that follows', () => {
  const parser = new ResponseParser()
  const ends: boolean[] = []
  const statuses: number[] = []
  const events = {
    onHead: ({ status }: ResponseHead) => statuses.push(status),
    onBody: () => {},
    onEnd: (_trailers: readonly string[], clean: boolean) => {
      ends.push(clean)
      if (ends.length === 1) parser.expect('GET', events) // as a connection that is given to whoever waits
    },
  }
  parser.expect('HEAD', events)
  parser.push(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 38\r\n\r\nHTTP/1.1 201 OK\r\ncontent-length: 0\r\n\r\n'))
  assert.deepEqual([statuses, ends], [[200], [false]])
})

test('bytes on an idle connection are refused', () => {
  const parser = new ResponseParser()
  parser.expect('GET', { onHead: () => {}, onBody: () => {}, onEnd: () => {} })
  parser.push(Buffer.from(LENGTH))
  assert.throws(() => parser.push(Buffer.from('x')))
})

test('an answer that is cut off is not whole', () => {
  for (const bytes of [LENGTH.slice(0, -1), CHUNKED.slice(0, -2), 'HTTP/1.1 200 OK\r\n']) assert.throws(() => parse(bytes, [], 'GET', true))
})
