import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type JsonSchema, jsonSchema, referencePage } from './reference.ts'

const folder = join(import.meta.dirname, '../../../docs/reference')
const STALE = 'stale: run node scripts/generate-schema.ts'

test('weir.schema.json is what the schema says', () => {
  assert.equal(readFileSync(join(folder, 'weir.schema.json'), 'utf8'), `${JSON.stringify(jsonSchema(), null, 2)}\n`, STALE)
})

test('the reference page is what the schema says', () => {
  assert.equal(readFileSync(join(folder, 'manifest.md'), 'utf8'), referencePage(jsonSchema()), STALE)
})

test('every key says what it means', () => {
  const silent: string[] = []
  const look = (schema: JsonSchema, path: string): void => {
    for (const [key, value] of Object.entries(schema.properties ?? {})) {
      if (!value.description) silent.push(`${path}${key}`)
      look(value, `${path}${key}.`)
    }
    for (const branch of schema.anyOf ?? []) look(branch, path)
    if (schema.items) look(schema.items, path)
    if (typeof schema.additionalProperties === 'object') look(schema.additionalProperties, path)
  }
  const schema = jsonSchema()
  for (const part of [schema, ...Object.values(schema.$defs ?? {})]) look(part, '')
  assert.deepEqual(silent, [])
})
