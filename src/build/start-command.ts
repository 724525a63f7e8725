import type { Argv } from '../core/model/app-graph.ts'
import { readPackage } from './package-json.ts'
import type { FolderFacts } from './recipe.ts'

/** Where the static server lies in a slug that needs one. */
export const STATIC_SERVER = '.weir/static-server.mts'

/**
 * How a finished slug is started, read from its files; null when nothing says so. `serve` is the folder of a static site.
 * `npm start` with a plain command becomes that command, so that no npm process stands between Weir and the app.
 *
 * @example startCommand({ names: ['package.json'], texts: { 'package.json': '{"scripts":{"start":"node server.js"}}' } }).argv
 * // ['node', 'server.js']
 */
export function startCommand(facts: FolderFacts, indexBelow: readonly string[] = []): { readonly argv: Argv | null; readonly serve: string | null } {
  const has = (name: string) => facts.names.includes(name)
  const by = (argv: Argv) => ({ argv, serve: null })
  const procfile = procfileCommand(facts.texts['Procfile'])
  if (procfile) return by(procfile)
  if (has('package.json')) {
    const { scripts, main } = readPackage(facts.texts['package.json'] ?? '')
    const start = scripts['start']
    const hooked = scripts['prestart'] !== undefined || scripts['poststart'] !== undefined
    if (start !== undefined) return by((hooked ? null : nodeWords(start)) ?? ['npm', 'run', '--silent', 'start'])
    if (has('server.js')) return by(['node', 'server.js'])
    const file = main === null ? null : main.replace(/^\.\//, '')
    if (file !== null && has(file)) return by(['node', file])
    if (has('index.js') && !has('index.html')) return by(['node', 'index.js'])
  }
  if (has('manage.py')) return by(['python3', '-u', 'manage.py', 'runserver', '--noreload', '$HOST:$PORT'])
  for (const name of ['app.py', 'main.py', 'server.py']) if (has(name)) return by(['python3', '-u', name])
  const serve = indexBelow[0]
  return serve === undefined ? { argv: null, serve: null } : { argv: ['node', STATIC_SERVER, serve], serve }
}

/** A script that is `node` and plain words: what npm would add (its bin folder, its variables) makes no difference to it. */
function nodeWords(script: string): Argv | null {
  const words = plainWords(script)
  return words?.[0] === 'node' && !words.some((word) => word.includes('$')) ? words : null
}

/** The words of a Procfile's `web` line, or null. */
function procfileCommand(text: string | undefined): Argv | null {
  const line = /^web\s*:\s*(.+)$/m.exec(text ?? '')?.[1]?.trim()
  return line === undefined ? null : (plainWords(line) ?? ['sh', '-c', `exec ${line}`])
}

/** The words of a command line that means the same without a shell; null when quotes, operators or globs stand in it. */
export function plainWords(line: string): Argv | null {
  const words = line.trim().split(/[ \t]+/)
  if (!words.every((word) => /^[\w@%+:,./$=-]+$/.test(word))) return null
  return /^\w+=/.test(words[0] ?? '') ? null : words
}
