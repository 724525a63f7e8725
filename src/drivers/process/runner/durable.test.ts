import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isWeirError } from '../../../errors.ts'
import { readRecord, readRecords, recordOutcome, removeRecord, writeRecord } from './durable.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-records-'))
after(() => rmSync(folder, { recursive: true }))

test('a record is read as it was written, replaced in one step, and removed', () => {
  const file = join(folder, 'a.json')
  assert.equal(readRecord(file), null)
  writeRecord(file, { n: 1 }, { durable: true })
  writeRecord(file, { n: 2 }, { durable: false })
  assert.deepEqual(readRecord(file), { n: 2 })
  assert.deepEqual(readdirSync(folder), ['a.json'])
  removeRecord(file)
  assert.deepEqual(readRecords(folder), [])
})

test('what a crash left half written is not taken for a record', () => {
  writeFileSync(join(folder, 'b.json.new'), '{"n":')
  assert.deepEqual(readRecords(folder), [])
  writeRecord(join(folder, 'b.json'), { n: 3 }, { durable: true })
  assert.deepEqual(readRecords(folder), [{ n: 3 }])
  removeRecord(join(folder, 'b.json'))
})

test('a damaged record is refused by name, never guessed', () => {
  writeFileSync(join(folder, 'c.json'), '{"n":')
  assert.throws(
    () => readRecord(join(folder, 'c.json')),
    (error) => isWeirError(error, 'E_STATE') && error.message.includes('c.json'),
  )
})

const root = process.getuid?.() === 0
test('on a full disk what is asked is refused, and what has happened is kept in memory', { skip: root ? false : 'a small disk needs a mount' }, () => {
  const disk = join(folder, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'none', disk])
  try {
    const file = join(disk, 'd.json')
    writeRecord(file, { n: 1 }, { durable: true })
    assert.throws(() => writeFileSync(join(disk, 'filler'), Buffer.alloc(64 * 1024)), { code: 'ENOSPC' })
    assert.throws(
      () => writeRecord(file, { n: 2 }, { durable: true }),
      (error) => isWeirError(error, 'E_DISK_FULL'),
    )
    writeRecord(file, { n: 3 }, { durable: false })
    recordOutcome(file, { n: 4 })
    assert.deepEqual(readRecord(file), { n: 1 })
    rmSync(join(disk, 'filler'))
    recordOutcome(file, { n: 5 })
    assert.deepEqual(readRecord(file), { n: 5 })
  } finally {
    execFileSync('umount', [disk])
  }
})

test('where the disk ends in the middle of a record, the one before stays', { skip: root ? false : 'a small disk needs a mount' }, () => {
  const disk = join(folder, 'small')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32k', 'none', disk])
  try {
    const file = join(disk, 'e.json')
    writeRecord(file, { n: 1 }, { durable: true })
    const large = { n: 2, environment: 'x'.repeat(64 * 1024) }
    assert.throws(
      () => writeRecord(file, large, { durable: true }),
      (error) => isWeirError(error, 'E_DISK_FULL'),
    )
    writeRecord(file, large, { durable: false })
    assert.deepEqual(readRecord(file), { n: 1 })
  } finally {
    execFileSync('umount', [disk])
  }
})
