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

/** Which releases took part in requests for the page: web's, home's, and that of songs in each of home's two calls of it. */
async function taken(url: string, requests: number): Promise<Record<string, number>> {
  const seen: Record<string, number> = {}
  for (let n = 0; n < requests; n++) {
    const { releases, songs, mostPlayed } = JSON.parse((await get(`${url}api/home`)).body) as Home
    const marks = [songs, mostPlayed].map((list) => [...new Set(list.map(({ title }) => / \((v\w+)\)$/.exec(title)?.[1] ?? 'first'))].join('+'))
    const name = `web ${releases.web}, home ${releases.home}, songs ${marks.join(' and ')}`
    seen[name] = (seen[name] ?? 0) + 1
  }
  return seen
}
interface Home {
  readonly releases: { readonly web: string; readonly home: string }
  readonly songs: readonly { readonly title: string }[]
  readonly mostPlayed: readonly { readonly title: string }[]
}
const replaceIn = (file: string, ...pairs: readonly (readonly [string | RegExp, string])[]) => {
  const before = readFileSync(join(cwd, file), 'utf8')
  const after = pairs.reduce((text, [from, to]) => text.replaceAll(from, to), before)
  assert.notEqual(after, before, file)
  weir.write('playlist', { [file]: after })
}
/** Titles end in the name of this version of songs. */
const marked = (name: string) => [/((?:s\.)?title)(?: \|\| \$\$ \(v\w+\)\$\$ as title)?, ((?:s\.)?artist)/g, `$1 || $$$$ (${name})$$$$ as title, $2`] as const
const canaryTo = async (percent: number) => {
  await succeeds(['canary', 'weight', String(percent)])
  await eventually('the weight is in force', async () => (await status()).rollout?.weight === percent)
}

test('a canary of songs alone is reached through home, which does not change and passes baggage on: each request stays in one release', async () => {
  const url = (await status()).urls[0] ?? ''
  const canary = '    release: { strategy: canary, analysis: off, steps: [1%], split: { by: request } }\n'
  const uninstrumented = '    telemetry: off\n' // or home would pass baggage on whatever its code does
  replaceIn('weir.yaml', [/( {2}(?:web|songs):\n {4}build: \w+\n)/g, `$1${canary}`], [/( {4}build: home\n)/g, `$1${uninstrumented}`])
  await succeeds(['deploy'])
  const played = await get(`${url}api/songs/1/plays`, { method: 'POST' })
  assert.equal(played.status, 200, played.body)
  await eventually('a play is counted', async () => (JSON.parse((await get(`${url}api/home`)).body) as Home).mostPlayed.length > 0)
  const before = Object.keys(await taken(url, 1))[0] ?? ''
  const [, web, home] = /^web (\w+), home (\w+), songs first and first$/.exec(before) ?? assert.fail(before)

  replaceIn('songs/server.js', marked('vnext'))
  assert.match(await succeeds(['plan']), /home → songs: calls without baggage are split by request, because songs alone changes/)
  await succeeds(['deploy'])
  await canaryTo(50)
  const [stable, changed] = ['first', 'vnext'].map((it) => `web ${web}, home ${home}, songs ${it} and ${it}`) as [string, string]
  const half = await taken(url, 60)
  assert.deepEqual(Object.keys(half).sort(), [stable, changed].sort(), JSON.stringify(half))
  await canaryTo(0)
  assert.deepEqual(await taken(url, 20), { [stable]: 20 })
  await succeeds(['canary', 'promote'])
  assert.deepEqual(await taken(url, 20), { [changed]: 20 })
})

test('where home drops baggage its calls go to the stable songs, never to a split, and the plan names the break', async () => {
  const url = (await status()).urls[0] ?? ''
  replaceIn('home/http.js', ["['baggage', ", '['])
  await succeeds(['deploy'])
  const home = `v${(await status()).release}`
  replaceIn('songs/server.js', marked('vlast'))
  weir.write('playlist', { 'web/note.txt': 'changed' })
  assert.match(await succeeds(['plan']), /home → songs: home does not change, so it must pass the baggage header on; calls without it go to stable/)
  await succeeds(['deploy'])
  await canaryTo(50)
  const seen = await taken(url, 60)
  const target = (await status()).rollout?.target
  const names = Object.keys(seen)
  assert.equal(names.length, 2, JSON.stringify(seen))
  assert.ok(
    names.some((name) => name === `web v${target}, home ${home}, songs vnext and vnext`),
    JSON.stringify(seen),
  )
  assert.ok(
    names.every((name) => name.endsWith('songs vnext and vnext')),
    JSON.stringify(seen),
  )
  await succeeds(['canary', 'abort'])
})
