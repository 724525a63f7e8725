import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { Message } from '../core/notify/message.ts'
import { mail } from './email.ts'
import type { Address } from './target.ts'
import { startTestSmtp, type TestSmtp } from './testing-smtp.ts'

const message: Message = {
  topic: 'approval',
  kind: 'rollout.waits',
  at: '2026-01-02T03:04:05.000Z',
  tenant: 'acme',
  app: 'shop',
  environment: 'production',
  release: 43,
  rollout: 'r1',
  verdict: null,
  because: null,
  title: 'shop/production: v43 waits for approval\r\nBcc: eve@example.com',
  text: 'v43 waits for approval: proven',
  next: 'weir canary resume',
}
const never = new AbortController().signal
const trusted = getCACertificates('default')

async function server(kind: 'tls' | 'starttls' | 'clear', isTrusted = true): Promise<TestSmtp> {
  const smtp = await startTestSmtp(kind)
  after(() => smtp.close())
  setDefaultCACertificates(isTrusted ? [...trusted, smtp.certificate] : trusted)
  return smtp
}
const box = (smtp: TestSmtp, security: 'tls' | 'starttls', more: Partial<Extract<Address, { kind: 'email' }>> = {}) => ({
  kind: 'email' as const,
  host: 'localhost',
  port: smtp.port,
  security,
  login: { user: 'weir', password: 'swordfish' },
  from: 'weir@example.com',
  to: ['ann@example.com', 'bob@example.com'],
  ...more,
})
const send = (to: Extract<Address, { kind: 'email' }>) => mail({ id: 'd1', message }, to, 'machine', never)

test('a message arrives once for all, logged in, over TLS from the start or from STARTTLS on', async () => {
  for (const security of ['tls', 'starttls'] as const) {
    const smtp = await server(security)
    assert.deepEqual(await send(box(smtp, security)), { outcome: 'delivered' }, security)
    const [taken, ...more] = smtp.mails
    assert.ok(taken && more.length === 0)
    assert.deepEqual([taken.from, taken.to, taken.secure, taken.user], ['weir@example.com', ['ann@example.com', 'bob@example.com'], true, 'weir'])
    assert.match(taken.text, /^Message-ID: <d1@example\.com>$/im)
    assert.match(taken.text, /v43 waits for approval: proven[\s\S]*next {5}weir canary resume/)
    assert.doesNotMatch(taken.text, /^Bcc:/m)
    assert.ok(
      smtp.inClear.every((word) => ['EHLO', 'STARTTLS'].includes(word)),
      smtp.inClear.join(),
    )
  }
})

test('a server without TLS, or with a certificate that nobody trusts, gets neither password nor message', async () => {
  for (const [kind, security, isTrusted] of [
    ['clear', 'starttls', true],
    ['starttls', 'starttls', false],
    ['tls', 'tls', false],
  ] as const) {
    const smtp = await server(kind, isTrusted)
    const sent = await send(box(smtp, security))
    assert.equal(sent.outcome, 'failed', kind)
    assert.equal(smtp.mails.length, 0)
    assert.ok(!smtp.inClear.some((word) => ['AUTH', 'MAIL'].includes(word)), smtp.inClear.join())
  }
})

test('a refused login is told without the password, whatever the server writes', async () => {
  const smtp = await server('tls')
  const sent = await send(box(smtp, 'tls', { login: { user: 'weir', password: 'tuna-1312' } }))
  assert.deepEqual(sent, { outcome: 'failed', cause: 'the mail server refused the login (535)', retryAfterMs: null, isFinal: false })
})

test('a mail server inside is out of reach unless an admin allows it', async () => {
  const smtp = await server('tls')
  const sent = await mail({ id: 'd1', message }, box(smtp, 'tls'), 'internet', never)
  assert.ok(sent.outcome === 'failed' && /inside this network or machine/.test(sent.cause))
  assert.equal(smtp.inClear.length + smtp.mails.length, 0)
})
