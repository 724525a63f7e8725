import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from './nearest.ts'

const KEYS = ['ports', 'routes', 'depends_on', 'environment', 'healthcheck', 'pre_start']

for (const [word, key] of [
  ['prots', 'ports'],
  ['port', 'ports'],
  ['dependsOn', 'depends_on'],
  ['depends-on', 'depends_on'],
  ['enviroment', 'environment'],
  ['health_check', 'healthcheck'],
  ['prestart', 'pre_start'],
  ['zzz', null],
  ['x'.repeat(5000), null],
] as const) {
  test(`${word.slice(0, 20)} is ${key ?? 'nothing known'}`, () => assert.equal(nearest(word, KEYS), key))
}
