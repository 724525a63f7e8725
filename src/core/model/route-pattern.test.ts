import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { routePattern } from './route-pattern.ts'

const TABLE: readonly [path: string, pattern: string][] = [
  ['/', '/'],
  ['', '/'],
  ['/cart', '/cart'],
  ['/users/17', '/users/:id'],
  ['/users/17/orders?page=2', '/users/:id/orders'],
  ['/users/17#top', '/users/:id'],
  ['/a/9f1c8e7d2b', '/a/:id'],
  ['/deadbeef', '/deadbeef'],
  ['/o/123e4567-e89b-12d3-a456-426614174000', '/o/:id'],
  ['/t/eyJhbGciOiJFZERTQSJ9abcdefgh', '/t/:id'],
  ['/songs/never-gonna-give', '/songs/never-gonna-give'],
  ['/v1/songs', '/v1/songs'],
  ['/2fa', '/2fa'],
  ['/f/order-000123-x', '/f/:id'],
]

for (const [path, pattern] of TABLE) {
  test(`${path || '(empty)'} is counted as ${pattern}`, () => {
    assert.equal(routePattern(path), pattern)
  })
}

test('a pattern is its own pattern, so that both ends may normalise', () => {
  fc.assert(
    fc.property(fc.webPath(), (path) => {
      assert.equal(routePattern(routePattern(path)), routePattern(path))
    }),
  )
})
