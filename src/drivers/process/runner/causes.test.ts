import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeExit, tellingLine } from './causes.ts'
import { whyNotListening } from './listeners.ts'

const PRINTED: [what: string, lines: string[], told: string | null][] = [
  [
    'an uncaught error of Node',
    [
      'node:net:1900',
      '    throw err;',
      '    ^',
      '',
      "TypeError: Cannot read properties of undefined (reading 'x')",
      '    at Object.<anonymous> (/app.js:1:1)',
      '    at Module._compile (node:internal:1)',
      '',
      'Node.js v24.21.0',
    ],
    "TypeError: Cannot read properties of undefined (reading 'x')",
  ],
  [
    'an error with fields',
    ['Error: connect ECONNREFUSED 127.0.0.1:5432', '    at TCPConnectWrap (node:net:1)', '  errno: -111,', "  code: 'ECONNREFUSED',", '}', 'Node.js v24.21.0'],
    'Error: connect ECONNREFUSED 127.0.0.1:5432',
  ],
  [
    'a traceback of Python',
    ['Traceback (most recent call last):', '  File "app.py", line 3, in <module>', '    main()', 'ValueError: no port'],
    'ValueError: no port',
  ],
  [
    'an exception of Java',
    ['Exception in thread "main" java.lang.IllegalStateException: no bean', '\tat com.acme.Main.main(Main.java:3)'],
    'Exception in thread "main" java.lang.IllegalStateException: no bean',
  ],
  ['a panic of Go', ['panic: runtime error: index out of range', '', 'goroutine 1 [running]:'], 'panic: runtime error: index out of range'],
  ['plain words', ['starting', 'cannot find config', ''], 'cannot find config'],
  ['nothing', [], null],
  ['only surroundings', ['', '}', 'Node.js v24.21.0'], null],
]
for (const [what, lines, told] of PRINTED) {
  test(`the telling line of ${what}`, () => assert.equal(tellingLine(lines), told))
}

test('an exit is told with the line, or without when there is none', () => {
  assert.equal(describeExit({ kind: 'code', code: 1 }, ['Error: no'], 0), 'exited with 1: Error: no')
  assert.equal(describeExit({ kind: 'signal', signal: 'SIGSEGV' }, [], 0), 'ended by SIGSEGV')
  assert.equal(describeExit({ kind: 'oom' }, [], 256 * 1024 ** 2), 'out of memory (limit 256 MiB)')
})

test('a line that is very long is cut', () => {
  assert.equal(tellingLine([`Error: ${'x'.repeat(10_000)}`])?.length, 300)
})

test('why nobody answers is told from where the process listens', () => {
  assert.equal(whyNotListening([], 'PORT', 1), 'listens on no port (expected PORT=1)')
  assert.equal(
    whyNotListening(
      [
        { address: '[::]', port: 3 },
        { address: '0.0.0.0', port: 3 },
        { address: '0.0.0.0', port: 4 },
      ],
      'PORT_GRPC',
      1,
    ),
    'listens on 3, 4, not on PORT_GRPC=1',
  )
  assert.equal(whyNotListening([{ address: '[::1]', port: 1 }], 'PORT', 1), 'listens on [::1]:1, not on HOST=127.0.0.1')
  assert.equal(whyNotListening([{ address: '0.0.0.0', port: 1 }], 'PORT', 1), null)
})
