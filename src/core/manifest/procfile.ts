import { literal } from '../model/expand.ts'
import { shellSyntax, splitCommand } from './argv.ts'
import type { Problem } from './problems.ts'
import { decode } from './text.ts'
import type { Tree, TreeEntry } from './tree.ts'
import { mapTree, treeOf } from './tree.ts'

/**
 * A Procfile as weir.yaml would say it. `web` serves requests; `release` runs before the others start; all else are workers.
 * A line is split to argv; one that only a shell understands is handed to `/bin/sh`, inside the app's sandbox.
 */
export function parseProcfile(file: string, bytes: Uint8Array): { readonly tree: Tree | null; readonly problems: readonly Problem[] } {
  const decoded = decode(file, bytes)
  if ('problem' in decoded) return { tree: null, problems: [decoded.problem] }
  const problems: Problem[] = []
  const start = { file, line: 1, column: 1 }
  const commands = new Map<string, Tree>()
  for (const [index, line] of decoded.text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue
    const place = { file, line: index + 1, column: 1 }
    const [, name = '', gap = '', command = ''] = /^([A-Za-z0-9_-]+)(:\s*)(.*?)\s*$/.exec(line) ?? []
    const refuse = (message: string, hint: string | null) => problems.push({ ...place, code: 'E_MANIFEST', path: name, message, hint })
    if (name === '') refuse('not a line of a Procfile', 'write NAME: COMMAND')
    else if (command === '') refuse(`\`${name}\` has no command`, 'write NAME: COMMAND')
    else if (commands.has(name)) refuse(`\`${name}\` is here twice`, 'keep one of them')
    else {
      const at = { ...place, column: name.length + gap.length + 1 }
      const argv = argvOf(command)
      if (typeof argv === 'string') problems.push({ ...at, code: 'E_MANIFEST', path: name, message: `the command ${argv}`, hint: null })
      else commands.set(name, treeOf(at, argv))
    }
  }
  if (commands.size === 0 && problems.length === 0)
    problems.push({ ...start, code: 'E_MANIFEST', path: '', message: 'the Procfile names no process', hint: 'write web: COMMAND' })
  return { tree: commands.size > 0 ? appTree(start, commands) : null, problems }
}

function argvOf(command: string): readonly string[] | string {
  // The shell expands its `$`, not Weir before it.
  if (shellSyntax(command) || /^[A-Za-z_][A-Za-z0-9_]*=/.test(command)) return ['/bin/sh', '-c', literal(command)]
  const split = splitCommand(command)
  return 'error' in split ? split.error : split.argv
}

function appTree(start: { file: string; line: number; column: number }, commands: ReadonlyMap<string, Tree>): Tree {
  const release = commands.get('release')
  const names = [...commands.keys()].filter((name) => name !== 'release')
  const migrating = names.includes('web') ? 'web' : names[0]
  const services = new Map<string, TreeEntry>()
  for (const name of names) {
    const command = commands.get(name)!
    const place = command.place
    const tree = mapTree(place, {
      build: treeOf(place, '.'),
      command,
      ports: name === 'web' ? treeOf(place, { http: 8080 }) : null,
      pre_start:
        release && name === migrating
          ? { kind: 'list', place: release.place, items: [mapTree(release.place, { name: treeOf(release.place, 'release'), command: release })] }
          : null,
    })
    services.set(name, { key: { ...place, column: 1 }, tree })
  }
  return mapTree(start, { version: treeOf(start, 1), services: { kind: 'map', place: start, entries: services } })
}
