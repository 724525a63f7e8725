/** Writes docs/reference/weir.schema.json and docs/reference/manifest.md from the schema that checks manifests. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { jsonSchema, referencePage } from '../src/core/manifest/reference.ts'

const folder = join(import.meta.dirname, '../docs/reference')
const schema = jsonSchema()
await mkdir(folder, { recursive: true })
await writeFile(join(folder, 'weir.schema.json'), `${JSON.stringify(schema, null, 2)}\n`)
await writeFile(join(folder, 'manifest.md'), referencePage(schema))
