import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { CounterSpool } from './counter-spool.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-counters-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const block = (incarnation: string, sequence: number, to = sequence * 1000) => ({ incarnation, sequence, from: to - 1000, to, rows: [], evidence: [] })

test('blocks come oldest first, survive a restart, and go when acknowledged', () => {
  const spool = new CounterSpool(folder)
  for (const it of [block('a', 1), block('b', 1, 1500), block('a', 2)]) spool.keep(it)
  const again = new CounterSpool(folder)
  assert.deepEqual(again.oldest(2), [block('a', 1), block('b', 1, 1500)])
  again.acknowledge([{ incarnation: 'a', sequence: 1 }])
  assert.deepEqual(again.oldest(9), [block('b', 1, 1500), block('a', 2)])
  assert.equal(readdirSync(folder).length, 2)
})

test('a block sent twice is kept once, also after it was acknowledged', () => {
  const spool = new CounterSpool(folder)
  spool.keep(block('a', 1))
  spool.keep(block('a', 1))
  assert.equal(spool.size, 1)
  spool.acknowledge([{ incarnation: 'a', sequence: 1 }])
  spool.keep(block('a', 1))
  assert.equal(spool.size, 0)
})

test('beyond the limit the oldest go, and are counted', () => {
  const spool = new CounterSpool(folder, 3)
  for (let sequence = 1; sequence <= 5; sequence++) spool.keep(block('a', sequence))
  assert.deepEqual(
    spool.oldest(9).map((it) => it.sequence),
    [3, 4, 5],
  )
  assert.equal(spool.dropped, 2)
})

test('a block that cannot be read does not hold up the rest', () => {
  const spool = new CounterSpool(folder)
  for (const it of [block('a', 1), block('a', 2)]) spool.keep(it)
  writeFileSync(join(folder, readdirSync(folder).sort()[0] as string), '{"inc')
  assert.deepEqual(new CounterSpool(folder).oldest(9), [block('a', 2)])
})

const root = process.getuid?.() === 0
test('on a full disk blocks stay in memory, the newest sixty, and nothing is thrown at whoever serves', {
  skip: root ? false : 'a small disk needs a mount',
}, () => {
  const disk = join(folder, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'none', disk])
  try {
    const spool = new CounterSpool(disk)
    spool.keep(block('a', 1))
    assert.throws(() => writeFileSync(join(disk, 'filler'), Buffer.alloc(64 * 1024)), { code: 'ENOSPC' })
    for (let sequence = 2; sequence <= 63; sequence++) spool.keep(block('a', sequence))
    assert.equal(spool.dropped, 2)
    assert.deepEqual(
      spool.oldest(3).map((it) => it.sequence),
      [1, 4, 5],
    )
    spool.acknowledge(spool.oldest(99))
    rmSync(join(disk, 'filler'))
    spool.keep(block('a', 64))
    assert.deepEqual(new CounterSpool(disk).oldest(9), [block('a', 64)])
  } finally {
    execFileSync('umount', [disk])
  }
})
