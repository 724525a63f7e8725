import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { WeirError } from '../errors.ts'
import { type FakeServer, fakeServer, weir } from './testing.ts'

let home = ''
let server: FakeServer
const file = () => join(home, 'weir/credentials.json')
const run = (line: string, stdin = '', env = {}) => weir(server, line.split(' '), { stdin, env: { XDG_CONFIG_HOME: home, ...env } })

before(async () => {
  home = mkdtempSync('/tmp/weir-cli-login-')
  server = await fakeServer({
    'identity.login': ({ body }) => {
      if ((body as { password: string }).password !== 'right password') throw new WeirError('E_UNAUTHENTICATED', { message: 'no' })
      return { id: 1, secret: 'tok-1', expiresInDays: 30 }
    },
    'identity.whoami': ({ headers }) => {
      if (!headers.authorization) throw new WeirError('E_UNAUTHENTICATED', { message: 'no token', next: 'weir login' })
      return {
        name: headers.authorization,
        account: 'ann',
        admin: false,
        tenant: 'acme',
        tenants: [{ tenant: 'acme', verbs: ['app:read'] }],
        environment: null,
      }
    },
    'tokens.revoke': () => ({ ok: true }),
    'accounts.password': () => ({ ok: true }),
    'accounts.create': ({ body }) => ({ name: (body as { name: string }).name, tenant: 'ann', role: 'admin', admin: false }),
  })
})
after(async () => {
  await server.close()
  rmSync(home, { recursive: true })
})

test('a login keeps a token that only its owner can read, for the server it is for', async () => {
  const { exit, out, err } = await run('login --user ann', 'right password\n')
  assert.deepEqual([exit, out], [0, `logged in to ${server.address} as ann\n`], err)
  assert.equal(statSync(file()).mode & 0o777, 0o600)
  assert.deepEqual(JSON.parse(readFileSync(file(), 'utf8')), { server: server.address, tokens: { [server.address]: 'tok-1' } })
  assert.match((await run('whoami')).out, /^account {3}ann\n[^]*tenant {4}acme\nmay in {4}acme: app:read\n/)
  assert.ok(!out.includes('tok-1') && !err.includes('tok-1'))
})

test('the server of the last login is the default, WEIR_TOKEN comes before a stored token', async () => {
  const stored = await weir(null, ['whoami', '-o', 'json'], { env: { XDG_CONFIG_HOME: home, WEIR_HOME: '' } })
  assert.equal((JSON.parse(stored.out) as { name: string }).name, 'Bearer tok-1')
  assert.equal((JSON.parse((await run('whoami -o json', '', { WEIR_TOKEN: 'other' })).out) as { name: string }).name, 'Bearer other')
})

test('a wrong password is refused with 4 and changes nothing', async () => {
  const before = readFileSync(file(), 'utf8')
  const { exit, err } = await run('login --user ann', 'wrong password')
  assert.equal(exit, 4)
  assert.match(err, /do not go together/)
  assert.equal(readFileSync(file(), 'utf8'), before)
})

test('a token file that others can read is refused', async () => {
  chmodSync(file(), 0o644)
  const { exit, err } = await run('whoami')
  assert.equal(exit, 78)
  assert.match(err, /has mode 0644, it must be 0600/)
  chmodSync(file(), 0o600)
})

test('without a terminal nothing is asked', async () => {
  const { exit, err } = await run('login')
  assert.equal(exit, 64)
  assert.match(err, /there is no terminal to ask on/)
})

test('a token may come from standard input instead', async () => {
  assert.equal((await run('login --with-token', 'tok-2\n')).exit, 0)
  assert.match(readFileSync(file(), 'utf8'), /tok-2/)
})

test('a server is only talked to in a way that keeps the token private', async () => {
  for (const address of ['http://weir.example.com', 'ftp://x', 'https://ann:pw@weir.example.com', 'a b']) {
    const { exit, err } = await weir(server, ['login', address, '--with-token'], { stdin: 'x', env: { XDG_CONFIG_HOME: home } })
    assert.equal(exit, 64, address)
    assert.ok(!err.includes('pw@'))
  }
})

test('a logout ends the token there and forgets it here', async () => {
  const { exit } = await run('logout')
  assert.equal(exit, 0)
  assert.equal(server.calls.at(-1)?.asked.params['token'], 'current')
  assert.equal(existsSync(file()), false)
  assert.match((await run('logout')).out, /^not logged in/)
  assert.equal((await run('whoami')).exit, 4)
})

test('an account is made with a password that stands on no command line', async () => {
  const { exit, out } = await run('create_account ann --role viewer', 'a long password\n')
  assert.deepEqual([exit, out], [0, 'account ann is made in tenant ann; next: weir login --user ann\n'])
  assert.deepEqual(server.calls.at(-1)?.asked.body, { name: 'ann', password: 'a long password', role: 'viewer' })
})

const AS_ANN = { WEIR_TOKEN: 'tok-1' }

test("one's own password is changed with the present one, another's without", async () => {
  const bodies = () => server.calls.filter((it) => it.route === 'accounts.password').map((it) => [it.asked.params['account'], it.asked.body])
  assert.equal((await run('account password', 'the present one\nthe next one\n', AS_ANN)).exit, 0)
  assert.equal((await run('account password bob', 'the next one\n', AS_ANN)).exit, 0)
  assert.deepEqual(bodies(), [
    ['ann', { current: 'the present one', password: 'the next one' }],
    ['bob', { password: 'the next one' }],
  ])
  const { exit, err } = await run('account password', 'only one\n', AS_ANN)
  assert.equal(exit, 64)
  assert.match(err, /two lines/)
  assert.equal(bodies().length, 2)
})
