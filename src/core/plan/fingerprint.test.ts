import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Artifact } from '../model/release.ts'
import { graph, service } from '../testing.ts'
import { replicaInputs } from './fingerprint.ts'

const artifact: Artifact = { kind: 'slug', digest: 'sha256:1', key: 'k', bytes: 1, runtime: 'node-24.0.0', command: ['node', 'server.js'] }
const inputs = (over: Parameters<typeof service>[1]) => {
  const web = service('web', over)
  return replicaInputs(graph([web]), web, artifact, { environment: {}, secrets: {} })
}

test('another choice of telemetry needs another process; the usual one is none, so that releases from before it existed keep theirs', () => {
  assert.notEqual(inputs({ telemetry: 'off' }), inputs({}))
  assert.notEqual(inputs({ telemetry: 'off' }), inputs({ telemetry: 'environment' }))
  assert.equal(inputs({ telemetry: 'auto' }), inputs({}))
})
