import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Listener } from '../core/model/routing.ts'
import { GatewayParent } from './parent.ts'
import { freePort, group, service, table, until } from './testing.ts'

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
