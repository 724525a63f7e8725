import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STANDARD_ANALYSIS } from '../canary/analysis.ts'
import { RELEASE_DEFAULTS } from './release.ts'
import { INDICATORS } from './schema.ts'

test('what the manifest fills in is what the judge calls its standard', () => {
  assert.deepEqual(RELEASE_DEFAULTS.analysis, STANDARD_ANALYSIS)
})

test('every indicator of the manifest decides or is shown by standard', () => {
  assert.deepEqual([...STANDARD_ANALYSIS.compare, ...STANDARD_ANALYSIS.dryRun].sort(), [...INDICATORS].sort())
})
