import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
