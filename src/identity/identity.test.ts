import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isWeirError } from '../errors.ts'
import { Identity } from './identity.ts'
import { hashPassword, passwordFits } from './password.ts'
import { type IdentityStore, type Role, TENANT_VERBS, type TokenRecord } from './principal.ts'
import { principalOf, verbsOf } from './roles.ts'
import { mintToken, tokenHash } from './token.ts'

const TOKEN: TokenRecord = { id: 7, label: 'ci', tenant: 'acme', environment: null, verbs: ['app:read', 'app:remove'], account: null }

test('a password fits its own hash only, and no two hashes are equal', async () => {
  const [one, two] = await Promise.all([hashPassword('correct horse'), hashPassword('correct horse')])
  assert.notEqual(one, two)
  assert.ok(!one.includes('correct'))
  const answers = await Promise.all([
    passwordFits('correct horse', one),
    passwordFits('correct horsf', one),
    passwordFits('', one),
    passwordFits('correct horse', null),
    passwordFits('x', 'md5$1'),
  ])
  assert.deepEqual(answers, [true, false, false, false, false])
})

test('an unknown account takes as long as a wrong password', async () => {
  const hash = await hashPassword('p')
  const time = async (of: string | null) => {
    const start = performance.now()
    await passwordFits('q', of)
    return performance.now() - start
  }
  const known: number[] = []
  const unknown: number[] = []
  for (let round = 0; round < 3; round++) {
    known.push(await time(hash))
    unknown.push(await time(null))
  }
  const ratio = Math.min(...unknown) / Math.min(...known)
  assert.ok(ratio > 0.5 && ratio < 2, `ratio ${ratio}`)
})

test('tokens are long, different, and known by their hash alone', () => {
  const { secret, hash } = mintToken()
  assert.match(secret, /^weir_[\w-]{43}$/)
  assert.deepEqual(tokenHash(secret), hash)
  assert.notEqual(mintToken().secret, secret)
  for (const wrong of ['', 'weir_', `${secret}x`, secret.slice(1), `Bearer ${secret}`, "weir_' or 1=1"]) assert.equal(tokenHash(wrong), null)
})

test('roles contain each other, and a viewer cannot change anything', () => {
  assert.ok(verbsOf('viewer').every((verb) => verbsOf('developer').includes(verb)))
  assert.ok(verbsOf('developer').every((verb) => verbsOf('admin').includes(verb)))
  assert.deepEqual(verbsOf('viewer'), ['app:read', 'logs:read'])
  for (const verb of ['member:manage', 'credential:write', 'app:remove'] as const) assert.ok(!verbsOf('developer').includes(verb))
})

test('a token of its own has its verbs in its tenant and nothing else', () => {
  const principal = principalOf(TOKEN)
  assert.deepEqual(principal, { id: 'token:7', name: 'ci', account: null, admin: false, tenants: { acme: ['app:read', 'app:remove'] }, environment: null })
})

test('a token never does more than its account may do now', () => {
  const role = fc.constantFrom<Role>('viewer', 'developer', 'admin')
  const roles = fc.dictionary(fc.constantFrom('acme', 'globex', 'initech', '__proto__', 'constructor'), role)
  const verbs = fc.option(fc.subarray([...TENANT_VERBS]))
  fc.assert(
    fc.property(roles, verbs, fc.option(fc.constantFrom('acme', 'globex', 'constructor')), fc.boolean(), (own, allowed, tenant, admin) => {
      const principal = principalOf({ ...TOKEN, tenant, verbs: allowed, account: { name: 'ann', admin, roles: own } })
      assert.equal(principal.admin, admin && tenant === null && allowed === null)
      for (const [name, may] of Object.entries(principal.tenants)) {
        assert.ok(tenant === null || name === tenant)
        const most = admin ? TENANT_VERBS : verbsOf(own[name] as Role)
        assert.ok(may.every((verb) => most.includes(verb) && (allowed === null || allowed.includes(verb))))
      }
    }),
  )
})

test('whoever was taken out of the tenant can do nothing there, whatever the token says', () => {
  const { tenants } = principalOf({ ...TOKEN, verbs: null, account: { name: 'ann', admin: false, roles: { globex: 'admin' } } })
  assert.deepEqual(tenants, {})
})

test('too many attempts are refused before the password is looked at', async () => {
  let looked = 0
  const store: IdentityStore = {
    token: async () => null,
    attemptLogin: async () => false,
    passwordHash: async () => {
      looked++
      return null
    },
  }
  await assert.rejects(new Identity(store).verifyPassword('ann', 'x'), (error: unknown) => isWeirError(error, 'E_RATE'))
  assert.equal(looked, 0)
})
