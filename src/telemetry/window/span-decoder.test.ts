import assert from 'node:assert/strict'
import { test } from 'node:test'
import { operationName } from './operation-name.ts'
import { weightOf } from './span-decoder.ts'
import { type Attributes, requestOf, spanId, testWindow, traceId } from './testing.ts'

test('a peer is named by what says most about it', () => {
  const cases: readonly (readonly [Attributes, string])[] = [
    [{ 'peer.service': 'billing', 'server.address': 'x' }, 'billing'],
    [{ 'messaging.system': 'kafka', 'messaging.destination.name': 'orders', 'server.address': 'broker' }, 'kafka:orders'],
    [{ 'messaging.system': 'kafka', 'messaging.destination': 'old' }, 'kafka:old'],
    [{ 'db.system.name': 'postgresql', 'server.address': 'db.internal', 'server.port': 5432 }, 'postgresql:db.internal'],
    [{ 'db.system': 'redis' }, 'redis'],
    [{ 'rpc.service': 'shop.Cart', 'server.address': '10.0.0.1' }, 'shop.Cart'],
    [{ 'server.address': 'api.example.com', 'server.port': 443 }, 'api.example.com'],
    [{ 'net.peer.name': '127.0.0.1', 'net.peer.port': 8080 }, '127.0.0.1:8080'],
    [{ 'http.request.method': 'GET' }, ''],
    [{ 'peer.service': '' }, ''],
    [{ 'peer.service': 'x'.repeat(500) }, 'x'.repeat(120)],
  ]
  const { window } = testWindow()
  cases.forEach(([attributes], n) => window.accept(1, requestOf([{ trace: traceId(1), id: spanId(n + 1), kind: 'client', attributes }])))
  assert.deepEqual(
    cases.map((_, row) => window.names.text(window.columns.peer[row] as number)),
    cases.map(([, peer]) => peer),
  )
})

test('only clients and producers have peers', () => {
  const { window } = testWindow()
  const attributes = { 'peer.service': 'browser' }
  for (const kind of ['server', 'consumer', 'internal', 'client', 'producer'] as const)
    window.accept(1, requestOf([{ trace: traceId(1), id: spanId(1), kind, attributes }]))
  assert.deepEqual(
    [...window.columns.peer.subarray(0, 5)].map((peer) => window.names.text(peer)),
    ['', '', '', 'browser', 'browser'],
  )
})

test('a sampled span stands for as many as its tracestate says', () => {
  for (const [state, weight] of [
    ['', 1],
    ['vendor=th:8', 1],
    ['ot=th:0', 1],
    ['ot=th:8', 2],
    ['vendor=1,ot=rv:1234;th:c', 4],
    ['ot=th:fd70a3d70a3d71', 100],
    ['ot=p:3;r:5', 8],
    ['ot=p:63', 1],
    ['ot=p:62', 1e6],
    ['ot=th:ffffffffffffff', 1e6],
    ['ot=th:zz', 1],
  ] as const)
    assert.ok(Math.abs(weightOf(state) - weight) < 1e-9 * weight, `${state} → ${weightOf(state)}`)
})

test('paths are generalised, words are not', () => {
  for (const [name, operation] of [
    ['GET /users/17', 'GET /users/:id'],
    ['/users/17?x=1', '/users/:id'],
    ['GET http://shop.internal:8080/carts/0af7651916cd43dd', 'GET /carts/:id'],
    ['oteldemo.ProductCatalogService/GetProduct', 'oteldemo.ProductCatalogService/GetProduct'],
    ['SELECT shop.orders', 'SELECT shop.orders'],
    ['ann/shop', 'ann/shop'],
  ] as const)
    assert.equal(operationName(name), operation)
})
