import { createRequire } from 'node:module'

/** Gets a file's exports once it has run, and may hand back others in their place. */
export type Patch = (exports: never) => unknown

interface LoadableModule {
  exports: unknown
  load(filename: string, ...rest: unknown[]): unknown
}

const FOLDER = '/node_modules/'
const require = createRequire(import.meta.url)

/**
 * Calls a patch when the app has loaded a file of a package, named by its path below `node_modules`.
 * A CommonJS file is loaded through this one method, whoever asks for it: `require`, `import`, another file of its package.
 *
 * @example whenLoaded(new Map([['pg/lib/client.js', patchClient]]), report)
 */
export function whenLoaded(patches: ReadonlyMap<string, Patch>, trouble: (where: string, error: unknown) => void): void {
  const { Module } = require('node:module') as { Module: { prototype: LoadableModule } }
  const load = Module.prototype.load
  Module.prototype.load = function tracedLoad(this: LoadableModule, filename, ...rest) {
    const result = Reflect.apply(load, this, [filename, ...rest])
    const at = typeof filename === 'string' ? filename.lastIndexOf(FOLDER) : -1
    const patch = at === -1 ? undefined : patches.get(filename.slice(at + FOLDER.length))
    if (patch === undefined) return result
    try {
      this.exports = patch(this.exports as never) ?? this.exports
    } catch (error) {
      trouble(filename.slice(at + FOLDER.length), error)
    }
    return result
  }
}
