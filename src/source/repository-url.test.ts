import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isWeirError } from '../errors.ts'
import { inReach } from '../reach.ts'
import { refProblem } from './ref-name.ts'
import { parseRepositoryUrl } from './repository-url.ts'

test('the addresses that people copy are understood', () => {
  const as = (text: string) => parseRepositoryUrl(text)
  assert.deepEqual(as('https://example.com/team/app.git'), { kind: 'https', url: 'https://example.com/team/app.git', host: 'example.com', port: 443 })
  assert.deepEqual(as('https://example.com:8443/app'), { kind: 'https', url: 'https://example.com:8443/app', host: 'example.com', port: 8443 })
  assert.deepEqual(as('git@example.com:team/app.git'), { kind: 'ssh', url: 'ssh://git@example.com/team/app.git', host: 'example.com', port: 22 })
  assert.deepEqual(as('ssh://git@example.com:2222/team/app.git'), {
    kind: 'ssh',
    url: 'ssh://git@example.com:2222/team/app.git',
    host: 'example.com',
    port: 2222,
  })
  assert.deepEqual(as('file:///srv/app.git'), { kind: 'file', url: 'file:///srv/app.git', path: '/srv/app.git' })
  assert.deepEqual(as('/srv/app'), { kind: 'file', url: 'file:///srv/app', path: '/srv/app' })
})

const HOSTILE = [
  '',
  '-',
  '--upload-pack=touch /tmp/x',
  '--upload-pack=touch',
  '-oProxyCommand=x',
  'ext::sh -c touch% /tmp/x',
  'ext::sh',
  'EXT::sh',
  'fd::17',
  'http://example.com/app.git',
  'git://example.com/app.git',
  'ftp://example.com/app',
  'gopher://example.com/1',
  'https://',
  'https:///host/x',
  'https://example.com',
  'https://example.com/',
  'https://example.com/a?x=1',
  'https://example.com/a#x',
  'https://example.com/-x',
  'https://example.com/a\nb',
  'https://example.com/a%0ab',
  'https://example.com/a%00',
  'https://exa mple.com/a',
  'ssh://-oProxyCommand=touch/x',
  'ssh://-oProxyCommand=touch@example.com/x',
  'ssh://example.com/-x',
  '-oProxyCommand=touch@example.com:x',
  'git@-oProxyCommand=touch:x',
  '-host:path',
  'host$(id):path',
  'host`id`:path',
  'ho;st:path',
  'file://../x',
  'file://host/x/../../etc',
  'file:///a%0Ab',
  '/srv/../etc',
  './app',
  'app',
  'https://[::1/x',
  'https://a@b/x',
  `https://example.com/${'a'.repeat(3000)}`,
]
for (const text of HOSTILE) {
  test(`the address ${JSON.stringify(text.slice(0, 40))} is refused before git sees it`, () => {
    assert.throws(
      () => parseRepositoryUrl(text),
      (error) => isWeirError(error, 'E_SOURCE_URL'),
    )
  })
}

test('an address with a password is refused, without the password in the error', () => {
  for (const text of [
    'https://ann:hunter2@example.com/a.git',
    'https://hunter2@example.com/a.git',
    'ssh://git:hunter2@example.com/a.git',
    'http://ann:hunter2@example.com/',
    'hunter2@x@y:z',
  ]) {
    assert.throws(
      () => parseRepositoryUrl(text),
      (error) => isWeirError(error, 'E_SOURCE_URL') && !JSON.stringify([error.message, error.explanation]).includes('ann:hunter2'),
      text,
    )
  }
})

test('branch and tag names are checked by the rules of git', () => {
  for (const good of ['main', 'release/1.2', 'v1.0.0', 'feature_x', 'ä']) assert.equal(refProblem(good), null, good)
  for (const bad of [
    '',
    '-h',
    '--upload-pack=x',
    'a..b',
    'a b',
    'a~1',
    'a^',
    'a:b',
    'a?b',
    'a*',
    'a[b',
    'a\\b',
    '/a',
    'a/',
    'a//b',
    '.a',
    'a/.b',
    'a.lock',
    'a@{1}',
    '@',
    'a\nb',
    'a/-b',
    'x'.repeat(300),
  ]) {
    assert.notEqual(refProblem(bad), null, bad)
  }
})

test('addresses inside of the machine and network are told apart, however they are written', () => {
  const table: [string, boolean, boolean, boolean][] = [
    ['93.184.216.34', true, true, true],
    ['2606:2800:220:1::1', true, true, true],
    ['10.0.0.5', false, true, true],
    ['100.64.1.1', false, true, true],
    ['::ffff:192.168.1.1', false, true, true],
    ['fd00::1', false, true, true],
    ['127.0.0.1', false, false, true],
    ['127.9.9.9', false, false, true],
    ['::1', false, false, true],
    ['::ffff:127.0.0.1', false, false, true],
    ['169.254.169.254', false, false, false],
    ['fe80::1', false, false, false],
    ['0.0.0.0', false, false, false],
    ['::', false, false, false],
    ['224.0.0.1', false, false, false],
    ['255.255.255.255', false, false, false],
  ]
  for (const [address, internet, network, machine] of table) {
    assert.deepEqual([inReach(address, 'internet'), inReach(address, 'network'), inReach(address, 'machine')], [internet, network, machine], address)
  }
})
