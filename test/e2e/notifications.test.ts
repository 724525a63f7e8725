import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startTestSmtp } from '../../src/notify/testing-smtp.ts'
import { eventually, installation } from './installation.ts'

interface Got {
  readonly id: string
  readonly topic: string
  /** Of a message to Slack; of a webhook the sentence. */
  readonly text: string
  readonly isSigned: boolean
}
const SECRET = 'a-secret-of-thirty-two-characters'
const got: Got[] = []
/** What the receiver does with the next requests; then it takes all. */
const next: ((response: ServerResponse) => void)[] = []

const receiver = createServer((request, response) => {
  let body = ''
  request.on('data', (chunk: Buffer) => (body += chunk.toString()))
  request.on('end', () => {
    const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signature } = request.headers
    const expected = `v1,${createHmac('sha256', SECRET)
      .update(`${String(id)}.${String(time)}.${body}`)
      .digest('base64')}`
    const isFresh = Math.abs(Date.now() / 1000 - Number(time)) < 300
    const { topic = '', text = '' } = JSON.parse(body) as { topic?: string; text?: string }
    got.push({ id: String(id), topic, text, isSigned: signature === expected && isFresh })
    const act = next.shift()
    if (act) act(response)
    else response.end()
  })
})
await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/weir`
const smtp = await startTestSmtp('starttls')
const certificate = join(tmpdir(), `weir-smtp-${process.pid}.pem`)
const others = process.env['NODE_EXTRA_CA_CERTS']
writeFileSync(certificate, `${others === undefined ? '' : readFileSync(others, 'utf8')}\n${smtp.certificate}`)
process.env['NODE_EXTRA_CA_CERTS'] = certificate
const weir = await installation()
after(async () => {
  receiver.closeAllConnections()
  receiver.close()
  smtp.close()
  rmSync(certificate)
  await weir.remove()
})

const SERVER = (text: string) => `require('node:http').createServer((_, answer) => answer.end('${text}')).listen(process.env.PORT, process.env.HOST)`
const MANIFEST = `version: 1
app: told
services:
  web: { build: app, command: [node, server.js], routes: [{ host: told.localhost }] }
`
async function deploy(text: string, server = SERVER(text), expected = 0): Promise<void> {
  const cwd = weir.write('told', { 'weir.yaml': MANIFEST, 'app/server.js': server, 'app/package.json': '{"name":"told","version":"1.0.0"}' })
  const { code, stdout, stderr } = await weir.weir(['deploy'], { cwd })
  assert.equal(code, expected, stdout + stderr)
}
const topics = () => got.map((it) => it.topic)

test('a receiver on this machine is out of reach until an admin allows it', async () => {
  const up = await weir.weir(['up', '--no-deploy'])
  assert.equal(up.code, 0, up.stderr)
  await deploy('one')
  const added = await weir.weir(['notify', 'add', 'webhook', url, '-a', 'told', '--on', 'started,promoted'], { stdin: `${SECRET}\n` })
  assert.equal(added.code, 0, added.stderr)
  const refused = await weir.weir(['notify', 'test', '1'])
  assert.notEqual(refused.code, 0)
  assert.match(refused.stderr, /only https/)
  assert.equal(got.length, 0)
  await weir.json(['notify', 'reach', 'machine'])
  const taken = await weir.weir(['notify', 'test', '1'])
  assert.equal(taken.code, 0, taken.stderr)
  assert.deepEqual(
    got.splice(0).map((it) => [it.topic, it.isSigned]),
    [['test', true]],
  )
})

test('a receiver that fails twice gets each message signed, in order and under one id', async () => {
  next.push(
    (response) => response.writeHead(500).end(),
    (response) => response.destroy(),
  )
  await deploy('two')
  await eventually('both messages', async () => topics().includes('promoted'), 40_000)
  assert.deepEqual(topics(), ['started', 'started', 'started', 'promoted'])
  assert.equal(new Set(got.slice(0, 3).map((it) => it.id)).size, 1)
  assert.ok(got.every((it) => it.isSigned))
  got.splice(0)
})

test('a server killed between a delivery and its record says it again under the same id, and then goes on', async () => {
  const before = await weir.api<{ holder: string }>('GET', '/api/v1/health')
  const pid = Number(before.body.holder.split('/').at(-1))
  assert.ok(readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('server'))
  next.push((response) => {
    process.kill(pid, 'SIGKILL')
    response.end()
  })
  await deploy('three')
  await eventually('both messages', async () => topics().includes('promoted'), 60_000)
  const started = got.filter((it) => it.topic === 'started')
  assert.deepEqual([started.length, new Set(started.map((it) => it.id)).size], [2, 1])
  assert.equal(topics().at(-1), 'promoted')
})

test('a release that does not start is told of in Slack, with the sentence', async () => {
  const added = await weir.weir(['notify', 'add', 'slack', '-a', 'told', '--on', 'rollback'], { stdin: `${url}/slack` })
  assert.equal(added.code, 0, added.stderr)
  got.splice(0)
  await deploy('four', `console.error('no such table'); process.exit(1)`, 1)
  const said = await eventually('the message', async () => got.find((it) => it.topic === ''), 20_000)
  assert.match(said.text, /^told\/production: v4 was not taken: v4 failed: .*exited with 1/)
})

test('people are told by e-mail over TLS, and nothing that was given by standard input is shown anywhere', async () => {
  const add = ['notify', 'add', 'email', '--to', 'ops@example.com', '--from', 'weir@example.com', '--smtp', `smtp://weir@localhost:${smtp.port}`, '-a', 'told']
  const added = await weir.weir(add, { stdin: 'swordfish\n' })
  assert.equal(added.code, 0, added.stderr)
  const taken = await weir.weir(['notify', 'test', '3'])
  assert.equal(taken.code, 0, taken.stderr)
  assert.deepEqual(
    smtp.mails.map((it) => [it.to, it.secure, it.user]),
    [[['ops@example.com'], true, 'weir']],
  )
  const shown = await Promise.all(
    [['notify', 'list'], ['notify', 'deliveries', '1'], ['events', '-a', 'told'], ['audit']].map((args) => weir.weir([...args, '--json'])),
  )
  for (const { code, stdout, stderr } of shown) {
    assert.equal(code, 0, stderr)
    assert.ok(!stdout.includes(SECRET) && !stdout.includes('swordfish'))
  }
  assert.equal((await weir.weir(['notify', 'remove', '3'])).code, 0)
})
