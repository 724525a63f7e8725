import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SignatureCount } from '../telemetry/telemetry.ts'
import { signaturesBySide } from './side-signatures.ts'

const services = [{ service: 'web', stable: 3, canary: 5 }]
const seen = (signature: string, release: string, count: number, more: Partial<SignatureCount> = {}) => ({
  service: 'web',
  release,
  signature,
  count,
  before: 0,
  clients: [],
  firstSeen: 0,
  lastSeen: 0,
  trace: null,
  ...more,
})

test('errors are told apart by the release that met them, in the order in which the canary did', () => {
  const found = [seen('late', 'v5', 2, { firstSeen: 9 }), seen('early', 'v5', 1, { firstSeen: 4 }), seen('early', 'v3', 7), seen('old', 'v3', 3)]
  assert.deepEqual(signaturesBySide(found, { services, unit: 'request' }), [
    { signature: 'early', service: 'web', canary: 1, stable: 7 },
    { signature: 'late', service: 'web', canary: 2, stable: 0 },
    { signature: 'old', service: 'web', canary: 0, stable: 3 },
  ])
})

test('what was met in the day before is not new; other services and the rest of many are left out', () => {
  const found = [seen('known', 'v5', 4), seen('known', 'v2', 0, { before: 6 }), seen('other', 'v5', 90), seen('known', 'v5', 3, { service: 'db' })]
  assert.deepEqual(signaturesBySide(found, { services, unit: 'request' }), [{ signature: 'known', service: 'web', canary: 4, stable: 6 }])
})
