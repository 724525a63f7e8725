import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ERRORS_FILE, errorsReference } from './errors-reference.ts'

const file = join(import.meta.dirname, '..', ERRORS_FILE)
mkdirSync(dirname(file), { recursive: true })
writeFileSync(file, errorsReference())
