import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import type { Message } from '../core/notify/message.ts'
import { deliver } from './deliver.ts'
import { resolveInReach } from './resolve.ts'
import { slackBody } from './slack.ts'
import type { Address } from './target.ts'

const message: Message = {
  topic: 'rollback',
  kind: 'rollout.failed',
  at: '2026-01-02T03:04:05.000Z',
  tenant: 'acme',
  app: 'shop',
  environment: 'production',
  release: 43,
  rollout: 'r1',
  verdict: null,
  because: { code: 'E_REJECTED', text: 'web: 41 of 52 errors' },
  title: 'shop/production: v43 was not taken',
  text: 'v43 failed: <!channel> & more',
  next: 'weir releases show v43',
}
const NOW = 1_763_800_000_500
const never = new AbortController().signal

interface Got {
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A receiver on this machine that keeps what it got. */
async function receiver(answer: RequestListener = (_request, response) => response.end('ok')) {
  const got: Got[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      got.push({ headers: request.headers, body })
      answer(request, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/hook?token=swordfish`, port, got }
}
const webhook = (url: string): Address => ({ kind: 'webhook', url, secret: `whsec_${Buffer.alloc(32, 5).toString('base64')}` })
const to = (address: Address, reach: 'internet' | 'network' | 'machine' = 'machine', signal = never) =>
  deliver({ id: 'd1', message, address }, reach, NOW, signal)

test('a webhook can be checked by who knows the secret: id, time and body', async () => {
  const { url, got } = await receiver()
  assert.deepEqual(await to(webhook(url)), { outcome: 'delivered' })
  const [{ headers, body } = { headers: {}, body: '' }] = got
  assert.deepEqual([headers['webhook-id'], headers['webhook-timestamp'], headers['content-type']], ['d1', '1763800000', 'application/json'])
  const expected = createHmac('sha256', Buffer.alloc(32, 5)).update(`d1.1763800000.${body}`).digest('base64')
  assert.equal(headers['webhook-signature'], `v1,${expected}`)
  assert.deepEqual(JSON.parse(body), { id: 'd1', ...message })
})

test('Slack gets text and blocks, in which nothing becomes a link or a call to everyone', async () => {
  const { url, got } = await receiver()
  assert.deepEqual(await to({ kind: 'slack', url }), { outcome: 'delivered' })
  const body = JSON.parse(got[0]?.body ?? '') as ReturnType<typeof slackBody>
  assert.deepEqual(body, slackBody(message))
  assert.match(body.text, /v43 was not taken/)
  assert.match(JSON.stringify(body.blocks), /41 of 52 errors/)
  assert.doesNotMatch(got[0]?.body ?? '', /<!channel>/)
})

test('redirects are not followed, and no failure repeats the address', async () => {
  const inner = await receiver()
  const answers: [RequestListener, RegExp][] = [
    [(_, response) => response.writeHead(307, { location: inner.url }).end(), /307, and redirects are not followed/],
    [(_, response) => response.writeHead(500).end('swordfish'), /it answered 500$/],
    [(request) => request.socket.destroy(), /connection failed|broke off/],
  ]
  for (const [answer, cause] of answers) {
    const { url } = await receiver(answer)
    const sent = await to(webhook(url))
    assert.ok(sent.outcome === 'failed')
    assert.match(sent.cause, cause)
    assert.doesNotMatch(sent.cause, /swordfish/)
  }
  assert.equal(inner.got.length, 0)
})

test('what the receiver asks for is heard: later, or never again', async () => {
  const later = await receiver((_, response) => response.writeHead(429, { 'retry-after': '120' }).end())
  const gone = await receiver((_, response) => response.writeHead(410).end())
  assert.deepEqual(await to(webhook(later.url)), { outcome: 'failed', cause: 'it answered 429', retryAfterMs: 120_000, isFinal: false })
  assert.deepEqual(await to(webhook(gone.url)), { outcome: 'failed', cause: 'it answered 410', retryAfterMs: null, isFinal: true })
})

test('an endless answer is left after what is needed of it, and one that never comes when the server ends', async () => {
  const endless = await receiver((_, response) => {
    const more = () => void (response.destroyed || response.write(Buffer.alloc(16 * 1024), () => setImmediate(more)))
    more()
  })
  assert.deepEqual(await to(webhook(endless.url)), { outcome: 'delivered' })
  const silent = await receiver(() => {})
  const ends = new AbortController()
  setTimeout(() => ends.abort(), 50)
  assert.equal((await to(webhook(silent.url), 'machine', ends.signal)).outcome, 'failed')
})

test('this machine, its network and metadata are out of reach unless an admin allows it; metadata for all', async () => {
  const { url, port, got } = await receiver()
  for (const reach of ['internet', 'network'] as const) assert.equal((await to(webhook(url), reach)).outcome, 'failed', reach)
  const { url: secure } = { url: `https://localhost:${port}/` }
  const refused = await to(webhook(secure), 'internet')
  assert.ok(refused.outcome === 'failed' && /inside this network or machine/.test(refused.cause))
  assert.equal(got.length, 0)
  const inside = ['127.0.0.1', '[::1]', '10.1.2.3', '192.168.1.1', '[::ffff:7f00:1]', '[fd00::1]', '2130706433', '0x7f.1']
  for (const host of inside) {
    const { hostname } = new URL(`https://${host}/`)
    assert.ok('problem' in (await resolveInReach(hostname, 'internet')), host)
  }
  for (const host of ['169.254.169.254', '[fe80::1]', '0.0.0.0', '[64:ff9b::a9fe:a9fe]', '[2002:7f00:1::]'])
    assert.ok('problem' in (await resolveInReach(new URL(`https://${host}/`).hostname, 'machine')), host)
  assert.deepEqual(await resolveInReach('93.184.216.34', 'internet'), { ip: '93.184.216.34' })
})

test('in clear only where private addresses are allowed', async () => {
  const sent = await to(webhook('http://93.184.216.34/'), 'internet')
  assert.ok(sent.outcome === 'failed' && /only https/.test(sent.cause))
})
