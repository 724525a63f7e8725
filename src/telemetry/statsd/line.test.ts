import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readLine } from './line.ts'

test('lines of StatsD and DogStatsD are read', () => {
  assert.deepEqual(readLine('hits:1|c'), [{ name: 'hits', tags: {}, kind: 'counter', value: 1, weight: 1 }])
  assert.deepEqual(readLine('hits:-2|c|@0.1'), [{ name: 'hits', tags: {}, kind: 'counter', value: -2, weight: 10 }])
  assert.deepEqual(readLine('took:12.5|ms|@0.5|#service:web,urgent,url:http://a'), [
    { name: 'took', tags: { service: 'web', url: 'http://a', urgent: '' }, kind: 'timer', value: 12.5, weight: 2, unit: 'ms' },
  ])
  assert.deepEqual(
    readLine('size:1:2:3|d|#a:b|c:in-123|T1700000000')?.map((it) => 'value' in it && it.value),
    [1, 2, 3],
  )
  assert.deepEqual(readLine('queue:7|g'), [{ name: 'queue', tags: {}, kind: 'gauge', value: 7, relative: false }])
  assert.deepEqual(readLine('queue:-7|g'), [{ name: 'queue', tags: {}, kind: 'gauge', value: -7, relative: true }])
  assert.deepEqual(readLine('users:alice|s'), [{ name: 'users', tags: {}, kind: 'set', member: 'alice' }])
})

test('what is no such line is not guessed at', () => {
  const wrong = [
    '',
    'hits',
    'hits:|c',
    'hits:1',
    'hits:1|',
    'hits:1|x',
    ':1|c',
    'hits:NaN|c',
    'hits:Infinity|c',
    'hits:0x10|c',
    'hits:1e300|c',
    'took:-1|ms',
    'hits:1|c|@0',
    'hits:1|c|@2',
    'hits:1|c|@1e-9',
    'a b:1|c',
    'a\u0000:1|c',
    'a:1|c|#service:\u0000',
    '_e{5,4}:title|text',
    `${'n'.repeat(201)}:1|c`,
    `hits:1|c|#${'t,'.repeat(17)}`,
    `hits:1|c|#${'t'.repeat(101)}`,
    `hits:${'1:'.repeat(4100)}1|c`,
  ]
  for (const line of wrong) assert.equal(readLine(line), null, line)
})

test('tags have one order, and no tag is a part of an object that all share', () => {
  assert.deepEqual(Object.keys(readLine('a:1|c|#z:1,b:2')?.[0]?.tags ?? {}), ['b', 'z'])
  const tags = readLine('a:1|c|#__proto__:x')?.[0]?.tags ?? {}
  assert.equal(Object.getPrototypeOf(tags), Object.prototype)
  assert.deepEqual(Object.keys(tags), ['__proto__'])
})

test('whatever comes, what is read is finite and short', () => {
  const part = fc.oneof(
    fc.constantFrom(':', '|', '@', '#', ',', 'c', 'ms', 'g', 's', 'h', 'd', '1', '-', '+', '.', 'e9', 'name'),
    fc.string({ unit: 'binary', maxLength: 4 }),
  )
  let read = 0
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(part, { maxLength: 20 }).map((it) => it.join('')),
        fc.array(part, { maxLength: 8 }).map((it) => `n:1|c${it.join('')}`),
      ),
      (line) => {
        for (const it of readLine(line) ?? []) {
          read++
          assert.ok(it.name.length <= 200 && Object.keys(it.tags).length <= 16)
          if ('value' in it) assert.ok(Math.abs(it.value) <= 1e12)
          if ('weight' in it) assert.ok(it.weight >= 1 && it.weight <= 1e6 + 1)
        }
      },
    ),
    { numRuns: 2000 },
  )
  assert.ok(read > 0)
})
