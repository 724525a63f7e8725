import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asSeenFrom, urlsOf } from './addresses.ts'

const app = { current: 1, routes: [], port: 8100 }
const routed = {
  current: 1,
  routes: [
    { host: 'shop.example.com', path: '/api' },
    { host: null, path: '/' },
  ],
  port: 8100,
}

test('an address that is shown can be asked, wherever the gateway listens', () => {
  const table: [host: string, url: string][] = [
    ['127.0.0.1', 'http://127.0.0.1:8100/'],
    ['0.0.0.0', 'http://127.0.0.1:8100/'],
    ['::', 'http://[::1]:8100/'],
    ['::1', 'http://[::1]:8100/'],
    ['10.0.0.7', 'http://10.0.0.7:8100/'],
  ]
  for (const [host, url] of table) assert.deepEqual(urlsOf(app, { host, port: 80 }), [url])
})

test('routes are shown with their host, else the gateway’s, and with its port unless that is the usual one', () => {
  assert.deepEqual(urlsOf(routed, { host: '0.0.0.0', port: 80 }), ['http://shop.example.com/api', 'http://127.0.0.1/'])
  assert.deepEqual(urlsOf(routed, { host: '0.0.0.0', port: 8080 }), ['http://shop.example.com:8080/api', 'http://127.0.0.1:8080/'])
  assert.deepEqual(urlsOf({ ...routed, current: null }, { host: '0.0.0.0', port: 80 }), [])
})

test('who came from elsewhere is shown the address by which they came; one that the operator chose stays', () => {
  const table: [host: string, came: string | undefined, url: string][] = [
    ['0.0.0.0', '10.0.0.7', 'http://10.0.0.7:8100/'],
    ['::', '::ffff:10.0.0.7', 'http://10.0.0.7:8100/'],
    ['::', 'fd00::7', 'http://[fd00::7]:8100/'],
    ['0.0.0.0', '127.0.0.1', 'http://127.0.0.1:8100/'],
    ['0.0.0.0', undefined, 'http://127.0.0.1:8100/'],
    ['192.0.2.1', '10.0.0.7', 'http://192.0.2.1:8100/'],
  ]
  for (const [host, came, url] of table) assert.deepEqual(urlsOf(app, asSeenFrom({ host, port: 80 }, came)), [url])
})
