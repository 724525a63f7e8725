import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { errorSignature } from '../../core/model/error-signature.ts'
import { PrintedErrors } from './printed-errors.ts'

/** Signatures of what is found in a text, printed line by line. */
function found(text: string, printed = new PrintedErrors(), source = 'e1-web-v3-7', atMs = 0): string[] {
  const errors = text.split('\n').flatMap((line) => printed.line(source, atMs, line) ?? [])
  const last = printed.ended(atMs + 1000).map(([, error]) => error)
  return [...errors, ...last].map(({ stack }) => errorSignature({ type: '', message: '', stack }))
}

const THROWN = 'TypeError: no id 17\n    at cart (/srv/app/cart.js:4:2)\n    at main (/srv/app/main.js:9:1)'

describe('stack traces in what a program prints', () => {
  const table: readonly [name: string, text: string, signatures: readonly string[]][] = [
    ['between other lines', `listening\n${THROWN}\nGET / 200\n`, ['TypeError at cart (cart.js) < main (main.js)']],
    ['behind a word of the app', `payment failed: ${THROWN}`, ['TypeError at cart (cart.js) < main (main.js)']],
    ['one after the other', `${THROWN}\n${THROWN}\n`, ['TypeError at cart (cart.js) < main (main.js)', 'TypeError at cart (cart.js) < main (main.js)']],
    [
      'with a message of several lines, and properties behind',
      `Error: 2 problems\n- name\n- price\n    at check (/app/check.js:1:1) {\n  code: 'E_BAD',\n  errno: -2\n}\nnext`,
      ['Error at check (check.js)'],
    ],
    [
      'uncaught in Node',
      `/app/job.js:3\n    throw new QuotaError('17 left')\n    ^\n\nQuotaError: 17 left\n    at run (/app/job.js:3:11)\n\nNode.js v24.0.0`,
      ['QuotaError at run (job.js)'],
    ],
    [
      'Python, with a chain',
      `10.0.0.7 - GET /cart\nTraceback (most recent call last):\n  File "/app/db.py", line 8, in load\n    return table[17]\n           ~~~~~^^^^\nKeyError: 17\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File "/app/web.py", line 31, in show\n    raise Gone(id)\nshop.Gone: 17\n10.0.0.7 - GET /`,
      ['shop.Gone < KeyError at load (db.py)'],
    ],
    [
      'two of Python that have nothing to do with each other',
      `Traceback (most recent call last):\n  File "/app/a.py", line 8, in a\nKeyError: 1\nTraceback (most recent call last):\n  File "/app/b.py", line 8, in b\nKeyError: 2`,
      ['KeyError at a (a.py)', 'KeyError at b (b.py)'],
    ],
    [
      'Java, with a logger’s line before it',
      `2026-11-22 10:00:00 ERROR [exec-7] c.a.Cart : failed\njava.lang.IllegalStateException: cart 17\n\tat com.acme.Cart.load(Cart.java:88)\nCaused by: java.io.IOException: gone\n\tat com.acme.Db.read(Db.java:7)\n\t... 23 more\nnext`,
      ['java.lang.IllegalStateException < java.io.IOException at com.acme.Db.read'],
    ],
    [
      'Go',
      `2026/11/22 10:00:00 listening\npanic: assignment to entry in nil map\n\ngoroutine 1 [running]:\nmain.put(...)\n\t/src/shop/main.go:7\nmain.main()\n\t/src/shop/main.go:12 +0x1d\nexit status 2\n`,
      ['panic: assignment to entry in nil map at main.put < main.main'],
    ],
    [
      'a handler that panicked under net/http',
      `2026/11/22 10:00:00 http: panic serving 127.0.0.1:52814: cart is nil\ngoroutine 35 [running]:\nnet/http.(*conn).serve.func1()\n\t/usr/local/go/src/net/http/server.go:1903 +0xbe\nmain.show({0x7c3f20, 0xc0000b2000}, 0x0)\n\t/src/shop/main.go:31 +0x9c\n2026/11/22 10:00:01 next`,
      ['panic: cart is nil at main.show'],
    ],
  ]
  for (const [name, text, signatures] of table) test(name, () => assert.deepEqual(found(text), signatures))
})

describe('what is no error', () => {
  const table: readonly [name: string, text: string][] = [
    ['words', 'Error: could not be parsed, using the default\nERROR something\n0 errors, 2 warnings\nfatal error\nException in nothing'],
    [
      'a warning of Node',
      '(node:12) MaxListenersExceededWarning: Possible EventEmitter memory leak\n    at _addListener (node:events:588:17)\n    at f (/app/a.js:1:1)',
    ],
    ['a trace that somebody asked for', 'Trace: here\n    at f (/app/a.js:1:1)'],
    ['a warning of Python', '/app/a.py:3: DeprecationWarning: old\n  import imp'],
    ['what is only warned of in Python', 'WARNING:shop:slow\nTraceback (most recent call last):\n  File "/app/a.py", line 8, in a\nTimeoutError: 1'],
    ['what is only warned of in Java', '10:00:00 WARN [main] c.a.Cart : again\njava.io.IOException: gone\n\tat com.acme.Db.read(Db.java:7)'],
    ['threads that were dumped', '"main" #1 prio=5\n   java.lang.Thread.State: RUNNABLE\n\tat com.acme.Db.read(Db.java:7)'],
    ['frames without an error', '    at f (/app/a.js:1:1)\n    at g (/app/a.js:1:1)'],
    ['nothing', '\n\n'],
  ]
  for (const [name, text] of table) test(name, () => assert.deepEqual(found(text), []))
})

test('a warning a while ago, or of something else, does not make the next error one', () => {
  assert.equal(found(`WARN slow\nrequest failed: ${THROWN}`).length, 1)
  const printed = new PrintedErrors()
  printed.line('a', 0, 'WARN slow query')
  assert.equal(found(THROWN, printed, 'a', 5000).length, 1)
})

test('lines of two replicas do not mix', () => {
  const printed = new PrintedErrors()
  const [a, b] = [THROWN.split('\n'), THROWN.replaceAll('cart', 'pay').split('\n')]
  for (const [at, line] of a.entries()) {
    printed.line('a', 0, line)
    printed.line('b', 0, b[at] as string)
  }
  assert.deepEqual(
    printed.ended(1).map(([source, { stack }]) => [source, errorSignature({ type: '', message: '', stack })]),
    [
      ['a', 'TypeError at cart (cart.js) < main (main.js)'],
      ['b', 'TypeError at pay (pay.js) < main (main.js)'],
    ],
  )
})

test('an error is over when nothing more comes, and told of once', () => {
  const printed = new PrintedErrors()
  for (const line of THROWN.split('\n')) printed.line('a', 1000, line)
  assert.deepEqual(printed.ended(1000), [])
  assert.equal(printed.ended(1001).length, 1)
  assert.deepEqual(printed.ended(9999), [])
  assert.equal(printed.has('a'), true)
  printed.ended(1_000_000)
  assert.equal(printed.has('a'), false)
})

test('whatever is printed, no more than the frames of an error are kept, and nothing throws', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '    at f (/a.js:1:1)',
      'Traceback (most recent call last):',
      '  File "a.py", line 1, in f',
      'KeyError: 1',
      'panic: x',
      'goroutine 1 [running]:',
      '\t/a.go:1',
      '',
    ),
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 60 }), (lines) => {
      const printed = new PrintedErrors()
      for (const [at, it] of lines.entries()) printed.line('a', at, it)
      assert.ok(printed.ended(100).length <= 1)
    }),
  )
})
