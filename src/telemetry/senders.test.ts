import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Senders } from './senders.ts'
import { requestOf, spanId, type TestSpan, testWindow, traceId } from './window/testing.ts'

function started() {
  const it = testWindow({ maxSpans: 2 ** 15, onClosed: (closed) => senders.note(closed) })
  const senders = new Senders(it.window.names, 'now')
  let n = 0
  const say = (scope: number, service: string, release: string, kind: TestSpan['kind'] = 'server') => {
    it.window.accept(scope, requestOf([{ trace: traceId(++n), id: spanId(n), kind, service }], { 'service.version': release }))
  }
  return { senders, say, pass: it.pass }
}

test('releases that answer are told of by environment, service and number', () => {
  const { senders, say, pass } = started()
  say(7, 'web', 'v3')
  say(7, 'web', 'v4', 'client')
  say(8, 'web', 'v1')
  pass(3000)
  assert.deepEqual([...senders.list().senders].sort(), ['e7/web/v3', 'e8/web/v1'])
})

test('an environment with a new release for each span pushes out its own and nobody else’s, and the list stays short enough to be read', () => {
  const { senders, say, pass } = started()
  say(8, 'web', 'v1')
  pass(3000)
  for (let n = 1; n <= 3000; n++) say(7, `made-up-${n % 900}`, `v${n}`)
  for (let n = 1; n <= 100; n++) say(7, 'x'.repeat(200), `sha256:${n}`)
  pass(3000)
  const list = senders.list().senders
  assert.ok(list.includes('e8/web/v1'))
  assert.ok(list.length <= 1001 && list.every((key) => key.length < 100), `${list.length}`)
  const { version } = senders
  say(8, 'web', 'v1')
  pass(3000)
  assert.equal(senders.version, version, 'what is known is no news')
})
