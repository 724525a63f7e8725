import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CLI_FILE, cliReference } from './cli-reference.ts'

test('docs/reference/cli.md says what the table of verbs says (npm run generate)', () => {
  assert.equal(readFileSync(join(import.meta.dirname, '..', CLI_FILE), 'utf8'), cliReference())
})
