import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import own from '../package.json' with { type: 'json' }

/** Which Weir a program belongs to. */
export interface OwnBuild {
  readonly version: string
  /** Another one: other programs. Weir's own processes are started with it (`WEIR_BUILD`), so that those of another build are told apart. */
  readonly build: string
  /** The newest schema of the store that it knows. */
  readonly schema: number
}

/** Not built: all that runs from source is taken for the same. */
const FROM_SOURCE = 'source'

/** As it lies on the disk now; a process that wants to know what it is itself asks when it starts. */
export function ownBuild(): OwnBuild {
  const file = join(import.meta.dirname, 'build-id')
  const schema = readdirSync(join(import.meta.dirname, 'store/migrations')).filter((name) => name.endsWith('.sql')).length
  return { version: own.version, build: existsSync(file) ? readFileSync(file, 'utf8').trim() : FROM_SOURCE, schema }
}
