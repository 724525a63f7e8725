import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CLI_FILE, cliReference } from './cli-reference.ts'

writeFileSync(join(import.meta.dirname, '..', CLI_FILE), cliReference())
