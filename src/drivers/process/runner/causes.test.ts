import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeExit } from './causes.ts'
import { whyNotListening } from './listeners.ts'

test('an exit is told with the line, or without when there is none', () => {
  assert.equal(describeExit({ kind: 'code', code: 1 }, ['Error: no'], 0), 'exited with 1: Error: no')
  assert.equal(describeExit({ kind: 'signal', signal: 'SIGSEGV' }, [], 0), 'ended by SIGSEGV')
  assert.equal(describeExit({ kind: 'oom' }, [], 256 * 1024 ** 2), 'out of memory (limit 256 MiB)')
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
