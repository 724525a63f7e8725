import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { eventually, get, type Installation, installation } from './installation.ts'
import { traffic } from './traffic.ts'
import type { EnvironmentView } from './views.ts'

let weir: Installation
let cwd = ''
before(async () => {
  weir = await installation()
  const up = await weir.weir(['up', '--no-deploy'])
  assert.equal(up.code, 0, up.stderr)
  cwd = weir.example('playlist')
})
after(() => weir.remove())

const status = () => weir.json<EnvironmentView>(['status', 'playlist'])
async function succeeds(args: readonly string[], options: Parameters<Installation['weir']>[1] = {}): Promise<string> {
  const { code, stdout, stderr } = await weir.weir(args, { cwd, ...options })
  assert.equal(code, 0, `weir ${args.join(' ')}\n${stdout}\n${stderr}`)
  return stdout
}
/** Asked inside a replica of songs, with the address of its own database. */
async function inDatabase<T>(sql: string): Promise<T[]> {
  const code = `import('./database.js').then(async ({ rows, close }) => { console.log(JSON.stringify(await rows(${JSON.stringify(sql)}))); await close() })`
  return JSON.parse(await succeeds(['exec', 'songs', '--', 'node', '-e', code])) as T[]
}
const migrations = async () => (await inDatabase<{ count: number }>('select count(*)::int as count from migrations'))[0]?.count
const processes = async () => Object.fromEntries((await status()).replicas.filter((it) => !it.retired).map((it) => [it.id, it.service]))

test('seven services and a database go live in their order, and each migration runs once', async () => {
  const file = join(cwd, 'songs/migrate.js')
  const counted = `await rows('create table if not exists migrations (at timestamptz default now())')\nawait rows('insert into migrations default values')\nawait close()`
  weir.write('playlist', { 'songs/migrate.js': readFileSync(file, 'utf8').replace('await close()', counted) })
  await succeeds(['deploy'])
  const { urls, services } = await status()
  assert.equal(services.length, 7)
  const home = JSON.parse((await get(`${urls[0]}api/home`)).body) as { songs: unknown[] }
  assert.ok(home.songs.length > 0)
  assert.equal(await migrations(), 1)
})

test('a change of one service releases that one: the others keep their processes, its migration runs once more, no request fails', async () => {
  const before = await processes()
  const running = traffic(`${(await status()).urls[0]}api/home`, 20)
  weir.write('playlist', { 'songs/note.txt': 'changed' })
  const plan = await succeeds(['plan'])
  assert.match(plan, /~ songs/)
  assert.match(plan, /not touched: auth, home, playlists, users, web, worker/)
  await succeeds(['deploy'])
  assert.deepEqual((await running.stop()).failures, [])
  assert.equal(await migrations(), 2)
  const after = await processes()
  assert.deepEqual(
    Object.entries(after)
      .filter(([id]) => !(id in before))
      .map(([, service]) => service),
    ['songs'],
  )
  for (const id of Object.keys(before)) assert.ok(id in after, `${id} runs on, or stays warm`)
  await succeeds(['rollback'])
  assert.equal(await migrations(), 2, 'going back migrates nothing')
})

test('removed, the app leaves its data for the next of its name; with --with-data it does not', async () => {
  const gone = () => eventually('it is gone', async () => (await weir.weir(['status', 'playlist'])).code === 5, 20_000)
  await succeeds(['remove', 'playlist', '--confirm', 'playlist'])
  await gone()
  await succeeds(['deploy'])
  assert.equal(await migrations(), 3)
  await succeeds(['remove', 'playlist', '--confirm', 'playlist', '--with-data'])
  await gone()
  await succeeds(['deploy'])
  assert.equal(await migrations(), 1)
})
