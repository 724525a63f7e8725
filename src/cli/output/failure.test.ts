import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientError } from '../../../packages/client/src/client.ts'
import { CATALOGUE, type ErrorCode, WeirError } from '../../errors.ts'
import { failureLines, failureObject, failureOf } from './failure.ts'

const plain = { red: (text: string) => text, dim: (text: string) => text, bold: (text: string) => text }

test('the five parts are aligned, and what comes from outside is made safe', () => {
  const lines = failureLines(
    {
      message: 'release v43 of shop failed',
      cause: 'exited with 1: Error: \u001b[31mECONNREFUSED\n  at connect',
      state: 'v42 serves 100 %',
      next: 'weir releases diff v42 v43',
    },
    plain,
  )
  assert.deepEqual(lines, [
    '✗ release v43 of shop failed',
    '  cause     exited with 1: Error: \\x1b[31mECONNREFUSED',
    '              at connect',
    '  state     v42 serves 100 %',
    '  next      weir releases diff v42 v43',
  ])
})

test('all problems of a manifest are listed with their place and hint', () => {
  const lines = failureLines(
    {
      message: 'weir.yaml has 2 problems',
      problems: [
        { at: 'weir.yaml:3:5', message: 'unknown key `prots`', hint: 'did you mean `ports`?' },
        { at: 'weir.yaml:9:1', message: 'a tab' },
      ],
    },
    plain,
  )
  assert.deepEqual(lines, ['✗ weir.yaml has 2 problems', '  weir.yaml:3:5  unknown key `prots`', '    did you mean `ports`?', '  weir.yaml:9:1  a tab'])
})

test('every code of the catalogue ends with the exit code that stands there', () => {
  for (const code of Object.keys(CATALOGUE) as ErrorCode[]) assert.equal(failureOf(new WeirError(code, { message: 'x' })).exit, CATALOGUE[code].exit)
})

test("a newer server's unknown code keeps the exit code that the server says", () => {
  const failure = failureOf(new ClientError({ code: 'E_FROM_THE_FUTURE', status: 418, exit: 9, explanation: { message: 'x' } }))
  assert.deepEqual([failure.code, failure.exit], ['E_FROM_THE_FUTURE', 9])
})

test('for machines every part is there, empty where nothing is known', () => {
  const object = failureObject(failureOf(new WeirError('E_NOT_FOUND', { message: 'no app "shp"' })))
  assert.deepEqual(object, {
    code: 'E_NOT_FOUND',
    message: 'no app "shp"',
    cause: '',
    evidence: '',
    state: '',
    next: '',
    docs: 'docs/reference/errors.md#e_not_found',
  })
})

test('a full disk is named, everything else unknown is our fault', () => {
  assert.equal(failureOf(Object.assign(new Error('write ENOSPC'), { code: 'ENOSPC' })).code, 'E_DISK_FULL')
  assert.equal(failureOf(new TypeError('x is undefined')).code, 'E_INTERNAL')
})
