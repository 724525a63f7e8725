/** Writes docs/reference/openapi.json from the contract; a test holds that the file is fresh. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openapi } from '../src/api/openapi.ts'

const root = join(import.meta.dirname, '..')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
writeFileSync(join(root, 'docs/reference/openapi.json'), `${JSON.stringify(openapi(version), null, 2)}\n`)
