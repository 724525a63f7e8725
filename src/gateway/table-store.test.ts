import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { isWeirError } from '../errors.ts'
import { TableStore } from './table-store.ts'
import { group, route, service, table } from './testing.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-tables-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const app = (environment: string, n: number, epoch = 1) =>
  table(environment, n, [route(null)], { web: service(group(1, { r1: 1 })) }, { version: { epoch, n } })
const put = (store: TableStore, it: ReturnType<typeof app>) => store.put(it.environment, it.version, it)
const stale = (error: unknown) => isWeirError(error, 'E_STALE_EPOCH')

test('what was put is there after a restart, with the highest epoch', () => {
  const store = new TableStore(folder)
  put(store, app('e1', 4, 2))
  store.fence(7)
  const again = new TableStore(folder)
  assert.deepEqual(again.tables(), [app('e1', 4, 2)])
  assert.equal(again.epoch, 7)
  assert.throws(() => put(again, app('e1', 5, 6)), stale)
})

test('a file with any byte changed or cut off is set aside, never used; the others are', () => {
  const store = new TableStore(folder)
  put(store, app('e1', 1))
  put(store, app('e2', 1))
  const file = join(folder, 'tables/e1.json')
  const whole = readFileSync(file, 'utf8')
  for (const damage of [whole.slice(0, -1), whole.slice(0, 5), '', whole.replace('"n":1', '"n":2'), `${whole} `]) {
    writeFileSync(file, damage)
    const again = new TableStore(folder)
    assert.deepEqual(
      again.tables().map((it) => it.environment),
      ['e2'],
    )
    assert.deepEqual(again.damaged, ['tables/e1.json'])
    assert.ok(existsSync(`${file}.damaged`))
  }
})

test('a write that a crash cut off does not count', () => {
  put(new TableStore(folder), app('e1', 1))
  writeFileSync(join(folder, 'tables/e1.json.new'), 'half a ta')
  assert.deepEqual(new TableStore(folder).tables(), [app('e1', 1)])
})

test('a withdrawal outlives a restart, until a higher epoch makes it needless', () => {
  const store = new TableStore(folder)
  put(store, app('e1', 1))
  store.put('e1', { epoch: 1, n: 2 }, null)
  const again = new TableStore(folder)
  assert.deepEqual(again.tables(), [])
  assert.throws(() => put(again, app('e1', 1)), stale)
  again.fence(2)
  assert.equal(again.get('e1'), null)
  assert.throws(() => put(again, app('e1', 3)), stale)
})

test('the present version said again is no news, whatever the epoch has become', () => {
  const store = new TableStore(folder)
  assert.equal(put(store, app('e1', 1)), true)
  store.fence(5)
  assert.equal(put(store, app('e1', 1)), false)
})

test('an environment whose name is a path is refused', () => {
  assert.throws(
    () => put(new TableStore(folder), app('../e1', 1)),
    (error) => isWeirError(error, 'E_NAME'),
  )
})

const root = process.getuid?.() === 0
test('where the disk ends in the middle of a table, the one before stays', { skip: root ? false : 'a small disk needs a mount' }, () => {
  const disk = join(folder, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32k', 'none', disk])
  try {
    const store = new TableStore(disk)
    put(store, app('e1', 1))
    const replicas = Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`replica-${n}`, n + 1]))
    const large = table('e1', 2, [route(null)], { web: service(group(1, replicas)) }, { version: { epoch: 1, n: 2 } })
    assert.throws(
      () => put(store, large),
      (error) => isWeirError(error, 'E_DISK_FULL'),
    )
    assert.deepEqual(new TableStore(disk).tables(), [app('e1', 1)])
    assert.equal(put(store, app('e1', 3)), true) // what was begun takes no room any more
  } finally {
    execFileSync('umount', [disk])
  }
})
