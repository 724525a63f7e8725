import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isWeirError } from '../../errors.ts'
import { RpcClient } from '../../rpc/client.ts'
import type { ExecSession } from '../exec.ts'
import { FRAME, frameReader } from './exec-frames.ts'
import { replicaSpec, TestRunner, until } from './testing.ts'

let runner: TestRunner
before(async () => {
  runner = await TestRunner.start()
  const web = `require('node:http').createServer((_, answer) => answer.end('ok')).listen(process.env.PORT, process.env.HOST)`
  await runner.driver.startReplica(replicaSpec('x1-web-v1-1', runner.slug({ 'app.js': web })), 1)
  await runner.ready('x1-web-v1-1')
})
after(() => runner.close())

async function collected(session: ExecSession): Promise<{ out: string; err: string }> {
  const all = { out: '', err: '' }
  for await (const { stream, bytes } of session.output) all[stream] += Buffer.from(bytes).toString()
  return all
}

test('a command runs beside the process: its account, its folder, its environment', async () => {
  const session = await runner.exec.open('x1-web-v1-1', [
    'node',
    '-e',
    `console.log(process.getuid(), process.env.PORT, require('node:fs').existsSync('app.js')); console.error('aside'); process.exitCode = 3`,
  ])
  const { port } = await runner.ready('x1-web-v1-1')
  assert.deepEqual(await collected(session), { out: `${runner.accounts?.app(1) ?? process.getuid?.()} ${port} true\n`, err: 'aside\n' })
  assert.deepEqual(await session.exit, { kind: 'code', code: 3 })
})

test('what is written reaches its input, to the end and unharmed', async () => {
  const session = await runner.exec.open('x1-web-v1-1', ['cat'])
  const sent = Buffer.alloc(3 * 1024 * 1024, 'abc\u0000\n')
  const seen = collected(session)
  for (let at = 0; at < sent.length; at += 65_536) await session.write(sent.subarray(at, at + 65_536))
  session.endInput()
  assert.equal((await seen).out, sent.toString())
})

test('a signal reaches it, and its end is told', async () => {
  const session = await runner.exec.open('x1-web-v1-1', ['sleep', '1000'])
  await sleep(100)
  session.signal('SIGINT')
  assert.deepEqual(await session.exit, { kind: 'signal', signal: 'SIGINT' })
})

test('closing the session ends the command', async () => {
  const session = await runner.exec.open('x1-web-v1-1', ['node', '-e', `console.log(process.pid); setInterval(() => {}, 1000)`])
  const first = await session.output[Symbol.asyncIterator]().next()
  const pid = Number(Buffer.from((first.value as { bytes: Uint8Array }).bytes).toString())
  session.close()
  await until(() => !readdirSync('/proc').includes(String(pid)), 'it has ended')
})

test('a program that is not there fails with a word about it', async () => {
  const session = await runner.exec.open('x1-web-v1-1', ['no-such-program'])
  assert.match((await collected(session)).err, /no-such-program/)
  assert.deepEqual(await session.exit, { kind: 'code', code: 127 })
})

test('a replica that does not run has no inside', async () => {
  await assert.rejects(runner.exec.open('x1-web-v9-9', ['true']), (error) => isWeirError(error, 'E_NOT_FOUND'))
})

test('a command that is over before anybody listens has said everything all the same', async () => {
  const rpc = new RpcClient(runner.paths.runnerSocket)
  const { socket } = (await rpc.call('exec', { id: 'x1-web-v1-1', argv: ['sh', '-c', 'echo quick; exit 3'], epoch: 1 })) as { socket: string }
  await new Promise((resolve) => setTimeout(resolve, 500))
  const frames: [number, string][] = []
  const read = frameReader((kind, bytes) => frames.push([kind, bytes.toString()]))
  const connection = connect(socket).on('data', (chunk) => read(chunk))
  const late = setTimeout(() => connection.destroy(), 3_000)
  await new Promise((resolve) => connection.once('close', resolve))
  clearTimeout(late)
  rpc.close()
  assert.deepEqual(frames, [
    [FRAME.out, 'quick\n'],
    [FRAME.exit, '{"kind":"code","code":3}'],
  ])
})
