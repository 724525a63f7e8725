import assert from 'node:assert/strict'
import { test } from 'node:test'
import { indexRoutes, matchRoute, type RouteListener } from './match.ts'

const listener = (host: string | null, path: string): RouteListener => ({ kind: 'route', host, path, service: 'web', port: 'http', protocol: 'http' })
const index = indexRoutes(
  [
    listener('shop.test', '/'),
    listener('shop.test', '/api'),
    listener('shop.test', '/api/v2/'),
    listener('*.shop.test', '/'),
    listener('api.shop.test', '/only'),
    listener(null, '/any'),
  ].map((it) => ({ listener: it, owner: `${it.host}${it.path}` })),
)

const TABLE: readonly [host: string, path: string, owner: string | null][] = [
  ['shop.test', '/', 'shop.test/'],
  ['shop.test', '/api', 'shop.test/api'],
  ['shop.test', '/apis', 'shop.test/'],
  ['shop.test', '/api/v2', 'shop.test/api/v2/'],
  ['shop.test', '/api/v2/x', 'shop.test/api/v2/'],
  ['a.shop.test', '/api', '*.shop.test/'],
  ['a.b.shop.test', '/', null],
  ['api.shop.test', '/only/x', 'api.shop.test/only'],
  ['api.shop.test', '/else', '*.shop.test/'],
  ['other.test', '/any', 'null/any'],
  ['other.test', '/', null],
]

for (const [host, path, owner] of TABLE) {
  test(`${host}${path} goes to ${owner ?? 'nobody'}`, () => {
    assert.equal(matchRoute(index, host, path)?.owner ?? null, owner)
  })
}
