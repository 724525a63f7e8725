import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tellingLine } from './telling-line.ts'

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
  [
    'a build by npm',
    ['> tsc', 'src/a.ts(1,7): error TS2322: wrong', 'npm error code 2', 'npm error path /app', 'npm error A complete log of this run can be found in: /x'],
    'src/a.ts(1,7): error TS2322: wrong',
  ],
  ['colours', ['\u001b[31mError: red\u001b[39m'], 'Error: red'],
  ['nothing', [], null],
  ['only surroundings', ['', '}', 'Node.js v24.21.0'], null],
]
for (const [what, lines, told] of PRINTED) {
  test(`the telling line of ${what}`, () => assert.equal(tellingLine(lines), told))
}

test('a line that is very long is cut', () => {
  assert.equal(tellingLine([`Error: ${'x'.repeat(10_000)}`])?.length, 300)
})
