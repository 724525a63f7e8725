import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { CounterBlock, Listener } from '../core/model/routing.ts'
import { ListeningSockets } from './listening-sockets.ts'
import { GatewayParent } from './parent.ts'
import { PUBLIC_SOCKET } from './socket-key.ts'
import { freePort, group, pause, route, service, startLoad, startTarget, table, until } from './testing.ts'
import { Workforce } from './workforce.ts'

/** Takes over everything at once, and writes down what it was told. */
const WORKER = `
import { connect } from 'node:net'
import { writeFileSync } from 'node:fs'
process.on('message', () => {})
const heard = { syncs: 0, tables: 0, sockets: 0 }
const socket = connect(process.env.WEIR_GATEWAY_CONTROL, () => say({ kind: 'hello', incarnation: 'w', generation: '', pid: process.pid }))
const say = (message) => socket.write(JSON.stringify(message) + '\\n')
let rest = ''
socket.on('data', (chunk) => {
  const lines = (rest + chunk).split('\\n')
  rest = lines.pop()
  for (const message of lines.map((line) => JSON.parse(line))) {
    if (message.kind === 'stop') process.exit(0)
    if (message.kind !== 'sync') continue
    heard.syncs++
    heard.tables += message.tables.length
    heard.sockets += message.sockets?.opened.length ?? 0
    writeFileSync(process.env.HEARD, JSON.stringify(heard))
    for (const { environment, version } of message.tables) say({ kind: 'applied', environment, version })
    say({ kind: 'serving' })
  }
})
`

test('a worker is told of each table and each socket once, however many there are beside it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-workforce-'))
  const [entry, file] = [join(folder, 'worker.mjs'), join(folder, 'heard.json')]
  writeFileSync(entry, WORKER)
  const parent = new GatewayParent({
    folder,
    workerEntry: entry,
    listen: { host: '127.0.0.1', port: await freePort() },
    workers: { min: 1, max: 1 },
    environment: { PATH: process.env['PATH'], HEARD: file },
    log: () => {},
  })
  const heard = () => JSON.parse(readFileSync(file, 'utf8')) as { syncs: number; tables: number; sockets: number }
  const edge = (id: number): Listener => ({
    kind: 'edge',
    id: `x${id}`,
    address: '127.64.9.8',
    listen: 10_000 + id,
    caller: 'web',
    origin: 1,
    service: 'api',
    port: 'http',
    protocol: 'http',
    track: 'stable',
  })
  const app = (id: number, n: number) => table(`e${id}`, n, [edge(2 * id), edge(2 * id + 1)], { api: service(group(1, {})) })
  const everywhere = (n: number) =>
    until(async () => {
      for (let id = 0; id < 100; id++) if ((await parent.observe(`e${id}`)).acknowledged?.n !== n) return false
      return true
    }, `all at version ${n}`)
  try {
    parent.start()
    await until(
      () =>
        parent
          .observe('e0')
          .then(() => readFileSync(file))
          .catch(() => null),
      'the worker was greeted',
    )
    assert.deepEqual(heard(), { syncs: 1, tables: 0, sockets: 1 })
    for (let id = 0; id < 100; id++) await parent.publish(app(id, 1))
    await everywhere(1)
    assert.deepEqual(heard(), { syncs: 101, tables: 100, sockets: 201 })
    for (let id = 0; id < 100; id++) await parent.publish(app(id, 2))
    await everywhere(2)
    assert.deepEqual(heard(), { syncs: 201, tables: 200, sockets: 201 }, 'the sockets are the same')
  } finally {
    await parent.stop(0)
    rmSync(folder, { recursive: true, force: true })
  }
})

test('workers come with the load and leave after it, and no request and no count is lost', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-workforce-'))
  const port = await freePort()
  const target = await startTarget((request, response) => {
    if (request.url === '/slow') setTimeout(() => response.end('slow'), 100)
    else response.end('ok')
  })
  const sockets = new ListeningSockets(() => false)
  sockets.open(PUBLIC_SOCKET, { host: '127.0.0.1', port }, 0)
  const blocks = new Map<string, CounterBlock>()
  const workers = new Workforce(
    {
      folder,
      entry: fileURLToPath(new URL('./worker.ts', import.meta.url)),
      generation: 'g',
      environment: { PATH: process.env['PATH'], WEIR_HOME: folder, WEIR_GATEWAY_KEY: 'k' },
      present: () => ({ tables: [table('e1', 1, [route('shop.test')], { web: service(group(1, { r1: target.port })) })], withdrawn: [] }),
      sockets,
      onApplied: () => {},
      onBlock: (block) => blocks.set(`${block.incarnation} ${block.sequence}`, block),
      log: () => {},
    },
    1,
  )
  const serving = (count: number) => until(() => workers.load().count === count, `${count} workers`, 8000)
  try {
    workers.start()
    await serving(1)
    const load = startLoad(port, 'shop.test', 6)
    for (const count of [3, 1, 2, 1]) {
      await pause(300)
      workers.resize(count)
      await serving(count)
    }
    await pause(300)
    const { answered, failures } = await load.stop()
    assert.deepEqual(failures, [])
    assert.ok(answered > 100, String(answered))
    await workers.stop(1000)
    const rows = [...blocks.values()].flatMap((block) => block.rows)
    assert.equal(
      rows.reduce((sum, row) => sum + row.requests, 0),
      answered,
    )
    assert.ok(new Set([...blocks.values()].map((it) => it.incarnation)).size >= 3, 'several workers had a share')
  } finally {
    await workers.stop(0)
    sockets.close(PUBLIC_SOCKET)
    target.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
