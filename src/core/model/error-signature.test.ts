import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { errorSignature, placeOf, steadyText } from './error-signature.ts'

const signature = (stack: string) => errorSignature({ type: '', message: '', stack })

const NODE = `TypeError: Cannot read properties of undefined (reading 'id')
    at renderCart (/var/lib/weir/slugs/9f1c8e7d2b/src/cart.js:42:11)
    at Array.map (<anonymous>)
    at async handle (file:///var/lib/weir/slugs/9f1c8e7d2b/src/server.mjs:10:3)
    at Layer.handle [as handle_request] (/srv/node_modules/express/lib/router/layer.js:95:5)
    at Server.emit (/var/lib/weir/instrumentation/0123456789abcdef/register.cjs:7:1)
    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)`
const PYTHON = `Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/flask/app.py", line 1484, in full_dispatch_request
    rv = self.dispatch_request()
         ^^^^^^^^^^^^^^^^^^^^^^^
  File "/app/web.py", line 31, in show
    return render(cart)
  File "/app/cart.py", line 12, in render
    return cart[key]
           ~~~~^^^^^
KeyError: 'u-8812'`
const PYTHON_CHAIN = `Traceback (most recent call last):
  File "/app/db.py", line 8, in load
    return table[17]
KeyError: 17

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/web.py", line 31, in show
    raise shop.errors.NotFound(f"cart {id}") from None
shop.errors.NotFound: cart 17`
const JAVA = `Exception in thread "http-nio-8080-exec-7" com.acme.shop.CartException: cart 4711 is gone
	at com.acme.shop.CartService.load(CartService.java:88)
	at com.acme.shop.CartService.lambda$loadAll$3(CartService.java:104)
	at java.base/java.util.stream.ReferencePipeline$3$1.accept(ReferencePipeline.java:197)
	at org.springframework.web.servlet.FrameworkServlet.service(FrameworkServlet.java:897)
	Suppressed: java.lang.IllegalStateException: closed
		at com.acme.shop.Pool.close(Pool.java:7)
Caused by: org.postgresql.util.PSQLException: FATAL: sorry, too many clients already
	at org.postgresql.core.v3.ConnectionFactoryImpl.doAuthentication(ConnectionFactoryImpl.java:693)
	at com.acme.shop.CartRepository.find(CartRepository.java:31)
	... 23 more`
const GO = `panic: runtime error: index out of range [5] with length 3 [recovered]

goroutine 35 [running]:
runtime/debug.Stack()
	/usr/local/go/src/runtime/debug/stack.go:26 +0x5e
panic({0x6b2c40?, 0xc00001c0a8?})
	/usr/local/go/src/runtime/panic.go:770 +0x132
main.(*Cart).Render(0xc000010000, {0xc00001e0a0, 0x5})
	/src/shop/cart.go:42 +0x1d
github.com/acme/shop/web.(*Server).show.func1({0x7c3f20?, 0xc0000b2000?})
	/src/shop/web/server.go:17 +0x9c
net/http.HandlerFunc.ServeHTTP(...)
	/usr/local/go/src/net/http/server.go:2136
created by net/http.(*Server).Serve in goroutine 1
	/usr/local/go/src/net/http/server.go:3285 +0x4b4

goroutine 1 [IO wait]:
main.main()
	/src/shop/main.go:9 +0x20`
const DOTNET = `Unhandled exception. System.InvalidOperationException: Sequence contains no elements
   at System.Linq.ThrowHelper.ThrowNoElementsException()
   at Shop.Cart.First(List\`1 lines) in /src/Shop/Cart.cs:line 42
   at Shop.Program.Main(String[] args) in /src/Shop/Program.cs:line 9`

describe('what languages print', () => {
  const table: readonly [name: string, stack: string, signature: string][] = [
    ['Node', NODE, 'TypeError at renderCart (cart.js) < handle (server.mjs)'],
    [
      'Node, a code',
      'TypeError [ERR_INVALID_URL]: Invalid URL\n    at new URL (node:internal/url:797:36)\n    at /app/links.js:3:5',
      'TypeError ERR_INVALID_URL at links.js',
    ],
    [
      'Node, of a library only',
      'Error: connect ECONNREFUSED 127.0.0.1:5432\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)',
      'Error: connect ECONNREFUSED #',
    ],
    [
      'Node, a cause',
      'Error: checkout failed\n    at checkout (/app/pay.js:9:9) {\n  [cause]: RangeError: no such currency\n      at rate (/app/rates.js:4:9)\n      at checkout (/app/pay.js:7:3)\n}',
      'Error < RangeError at rate (rates.js) < checkout (pay.js)',
    ],
    [
      'Node, uncaught',
      `/app/job.js:3\n    throw new QuotaError('17 left')\n    ^\n\nQuotaError: 17 left\n    at run (/app/job.js:3:11)\n    at Object.<anonymous> (/app/job.js:6:1)\n\nNode.js v24.0.0`,
      'QuotaError at run (job.js) < job.js',
    ],
    ['PostgreSQL’s client', 'error: duplicate key value violates unique constraint "carts_pkey"\n    at save (/app/db.js:5:5)', 'error at save (db.js)'],
    ['Python', PYTHON, 'KeyError at render (cart.py) < show (web.py)'],
    ['Python, a chain', PYTHON_CHAIN, 'shop.errors.NotFound < KeyError at load (db.py)'],
    ['Java', JAVA, 'com.acme.shop.CartException < org.postgresql.util.PSQLException at com.acme.shop.CartRepository.find'],
    ['Go', GO, 'panic: runtime error: index out of range [#] with length # at main.(*Cart).Render < web.(*Server).show.func#'],
    ['.NET', DOTNET, 'System.InvalidOperationException at Shop.Cart.First < Shop.Program.Main'],
  ]
  for (const [name, stack, expected] of table) {
    test(name, () => assert.equal(signature(stack), expected))
  }

  test('a message of several lines does not hide the type', () => {
    assert.equal(
      signature('ValidationError: 2 problems\n- name: missing\n- price: below 0\n    at check (/app/check.js:1:1)'),
      'ValidationError at check (check.js)',
    )
  })

  test('what instrumentation says beside the stack counts where the stack says nothing', () => {
    assert.equal(errorSignature({ type: 'ECONNREFUSED', message: 'connect ECONNREFUSED 10.0.0.7:80', stack: '' }), 'ECONNREFUSED: connect ECONNREFUSED #')
    assert.equal(
      errorSignature({ type: '*errors.errorString', message: 'EOF', stack: GO.slice(GO.indexOf('goroutine')) }).startsWith('*errors.errorString at main'),
      true,
    )
    assert.equal(errorSignature({ type: 'X', message: 'y', stack: NODE }), signature(NODE))
    assert.equal(errorSignature({ type: '', message: '', stack: '' }), '')
  })

  test('a function that calls itself stands once, however deep the stack was', () => {
    const deep = (depth: number) =>
      `RangeError: Maximum call stack size exceeded\n${'    at walk (/app/tree.js:4:9)\n'.repeat(depth)}    at main (/app/a.js:1:1)`
    assert.equal(signature(deep(2)), 'RangeError at walk (tree.js) < main (a.js)')
    assert.equal(signature(deep(150)), signature(deep(2)))
  })
})

describe('texts that roll', () => {
  const same: readonly (readonly string[])[] = [
    ['order 17 not found', 'order 18812 not found', 'order A-77812 not found'],
    ['user "ann" is locked', "user 'bob' is locked", 'user “o’neil” is locked', "user 'o'neil' is locked"],
    ['timeout after 3012ms calling http://10.0.0.7:8080/pay', 'timeout after 12ms calling https://pay.example/'],
    ['2026-11-22T10:00:00.123Z no leader', 'Sun Nov 22 10:00:00 2026 no leader', '1763805600 no leader'],
    ['no row for 123e4567-e89b-12d3-a456-426614174000', 'no row for 00000000-0000-4000-8000-000000000000'],
    ['bad pointer 0xc000010000', 'bad pointer 0x7ffee4'],
    ['lines 1, 2, 3 are empty', 'lines 7 are empty', 'lines 1, 2, 3, 4, 5 are empty'],
    ['mail to ann@example.org bounced', 'mail to bob.smith@mail.test bounced'],
    ['cannot open /tmp/weir-x7Gh2K/cart.db', 'cannot open /srv/data/cart.db'],
    ['token eyJhbGciOiJFZERTQSJ9abcdefgh expired', 'token sJkwHmNdQpRtUvXyZaBcDeFg expired'],
    ['peer fe80::1ff:fe23:4567:890a is gone', 'peer 10.0.0.7 is gone'],
  ]
  for (const texts of same) {
    test(texts[0] as string, () => {
      const found = texts.map((message) => errorSignature({ type: 'E', message, stack: '' }))
      assert.deepEqual(new Set(found).size, 1, found.join('\n'))
    })
  }

  test('errors that differ stay apart', () => {
    const messages = ['no route to host', 'connection reset by peer', "can't open it", "can't read it", 'a: b', 'a: c']
    assert.equal(new Set(messages.map(steadyText)).size, messages.length)
  })

  test('whatever number, quoted word, hex or uuid stands in a message, it is the same', () => {
    const rolling = fc.oneof(
      fc.nat().map(String),
      fc.uuid(),
      fc.ipV4(),
      fc.date({ noInvalidDate: true }).map((it) => it.toISOString()),
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: 4, maxLength: 40 }).map((it) => `0x${it}`),
      fc.float({ noNaN: true, noDefaultInfinity: true }).map((it) => `${it}ms`),
    )
    const quoted = fc.string({ unit: fc.constantFrom(...'abc XYZ019:,./#'.split('')) }).map((it) => `"${it}"`)
    fc.assert(
      fc.property(rolling, rolling, quoted, quoted, (a, b, c, d) => {
        assert.equal(steadyText(`cart ${a} of ${c} lost`), steadyText(`cart ${b} of ${d} lost`))
      }),
    )
  })

  test('what is steady stays so', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), (text) => {
        assert.equal(steadyText(steadyText(text)), steadyText(text))
      }),
    )
  })

  test('lines, columns, folders, hashes and addresses do not make another signature', () => {
    const stack = (folder: string, line: number, hash: string) =>
      `Error: x\n    at pay (/${folder}/pay.js:${line}:${line + 1})\n    at main (/${folder}/main.${hash}.js:${line}:1)\n    at Object.f$${line} (/${folder}/a.js:1:${line})`
    const word = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_/'.split('')), minLength: 1, maxLength: 30 })
    const hash = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: 7, maxLength: 12 }).filter((it) => /\d/.test(it))
    fc.assert(
      fc.property(word, word, fc.nat(), fc.nat(), hash, hash, (a, b, m, n, g, h) => {
        assert.equal(signature(stack(a, m, g)), signature(stack(b, n, h)))
      }),
    )
  })

  test('any text whatever is read, in a bounded length', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), fc.string(), (stack, message) => {
        assert.ok(errorSignature({ type: '', message, stack }).length <= 300)
      }),
    )
  })

  test('a hostile text costs no more than its length', () => {
    const begun = performance.now()
    for (const text of [
      'a.'.repeat(50_000),
      `Error: ${"'".repeat(100_000)}`,
      `    at ${'('.repeat(50_000)}`,
      `\tat ${'a.'.repeat(50_000)}(`,
      'x:'.repeat(50_000),
    ])
      signature(`${text}\n    at f (/a.js:1:1)`)
    assert.ok(performance.now() - begun < 1000, `${performance.now() - begun} ms`)
  })
})

test('the place of an error is its route and status, as far as they are known', () => {
  assert.deepEqual([placeOf('POST /pay', 500), placeOf('POST /pay', null), placeOf(null, 502), placeOf(null, null)], ['POST /pay 500', 'POST /pay', '502', ''])
})
