import { splitCommand } from './argv.ts'
import { BUILD_EFFECT, DEPLOY_EFFECTS } from './compose-effects.ts'
import { mountsOf, portsOf } from './compose-lists.ts'
import type { ComposeReader } from './compose-reader.ts'
import { GIVEN } from './service.ts'
import type { Path, Tree, TreeEntry, TreeMap } from './tree.ts'
import { mapTree, treeOf } from './tree.ts'

/** One service of a compose file in the words of weir.yaml. */
export function serviceTree(tree: TreeMap, path: Path, reader: ComposeReader): Tree {
  const field = (key: string): Tree | null => tree.entries.get(key)?.tree ?? null
  const build = buildTree(field('build'), path, reader)
  const image = field('image')
  if (build && image) reader.note([...path, 'image'], 'no effect: the built slug is known by its digest')
  const out: Record<string, Tree | null> = {
    build,
    image: build ? null : image,
    command: commandTree(field('entrypoint'), field('command')),
    ports: portsOf(field('ports'), field('expose'), path, reader),
    depends_on: dependsOnTree(field('depends_on'), path, reader),
    healthcheck: healthcheckTree(field('healthcheck'), path, reader),
    environment: environmentTree(field('environment'), path, reader),
    secrets: secretsTree(field('secrets'), path, reader),
    resources: limitsTree(tree, path, reader),
    scale: scaleTree(tree, path, reader),
    stop: stopTree(field('stop_signal'), field('stop_grace_period'), tree),
    volumes: mountsOf(field('volumes'), path, reader),
    pre_start: field('pre_start'),
  }
  const entries = new Map<string, TreeEntry>()
  for (const [key, value] of Object.entries(out)) {
    if (value) entries.set(key, { key: tree.entries.get(key)?.key ?? value.place, tree: value })
  }
  return { kind: 'map', place: tree.place, entries }
}

function buildTree(build: Tree | null, path: Path, reader: ComposeReader): Tree | null {
  if (build?.kind !== 'map') return build
  for (const key of build.entries.keys()) if (key !== 'context') reader.note([...path, 'build', key], BUILD_EFFECT)
  return build.entries.get('context')?.tree ?? treeOf(build.place, '.')
}

/** What a container would run: the words of `entrypoint`, then those of `command`. */
function commandTree(entrypoint: Tree | null, command: Tree | null): Tree | null {
  const parts = [entrypoint, command].filter(
    (tree): tree is Tree =>
      tree !== null && !(tree.kind === 'scalar' && (tree.value === null || tree.value === '')) && !(tree.kind === 'list' && tree.items.length === 0),
  )
  if (parts.length < 2) return parts[0] ?? null
  const items = parts.flatMap((part) => {
    if (part.kind === 'list') return part.items
    const split = part.kind === 'scalar' && typeof part.value === 'string' ? splitCommand(part.value) : null
    return split && 'argv' in split ? split.argv.map((word) => treeOf(part.place, word)) : [part]
  })
  return { kind: 'list', place: parts[0]!.place, items }
}

function dependsOnTree(tree: Tree | null, path: Path, reader: ComposeReader): Tree | null {
  if (tree?.kind !== 'map') return tree
  const entries = new Map<string, TreeEntry>()
  for (const [name, { key, tree: entry }] of tree.entries) {
    if (entry.kind !== 'map') {
      entries.set(name, { key, tree: entry })
      continue
    }
    const rest = new Map(entry.entries)
    for (const [extra, effect] of [
      ['required', 'no effect: what is named must be there'],
      ['restart', 'no effect: only changed services are released'],
    ] as const) {
      if (rest.delete(extra)) reader.note([...path, 'depends_on', name, extra], effect)
    }
    entries.set(name, { key, tree: { ...entry, entries: rest } })
  }
  return { ...tree, entries }
}

/** `["CMD", …]` is argv; `CMD-SHELL` and a plain string run in a shell inside the app's sandbox, as compose has it. */
function healthcheckTree(tree: Tree | null, path: Path, reader: ComposeReader): Tree | null {
  if (tree?.kind !== 'map') return tree
  const entries = new Map(tree.entries)
  if (entries.delete('start_interval')) reader.note([...path, 'healthcheck', 'start_interval'], 'no effect: a new replica is checked often until it is well')
  const disabled = entries.get('disable')?.tree
  if (disabled?.kind === 'scalar' && disabled.value === false) entries.delete('disable')
  const test = entries.get('test')
  if (test) {
    const [kind, ...words] = test.tree.kind === 'list' ? test.tree.items : []
    const first = kind?.kind === 'scalar' ? kind.value : null
    const shell = (line: Tree): Tree => ({ kind: 'list', place: test.tree.place, items: [treeOf(line.place, '/bin/sh'), treeOf(line.place, '-c'), line] })
    if (first === 'NONE' || (test.tree.kind === 'scalar' && test.tree.value === 'NONE')) {
      entries.delete('test')
      entries.set('disable', { key: test.key, tree: treeOf(test.tree.place, true) })
    } else if (first === 'CMD') entries.set('test', { key: test.key, tree: { kind: 'list', place: test.tree.place, items: words } })
    else if (first === 'CMD-SHELL' && words[0]) entries.set('test', { key: test.key, tree: shell(words[0]) })
    else if (test.tree.kind === 'scalar') entries.set('test', { key: test.key, tree: shell(test.tree) })
    else reader.problem([...path, 'healthcheck', 'test'], '`test` begins with CMD, CMD-SHELL or NONE', 'write ["CMD", "program", "argument"]')
  }
  return { ...tree, entries }
}

function environmentTree(tree: Tree | null, path: Path, reader: ComposeReader): Tree | null {
  const entries = new Map<string, TreeEntry>()
  if (tree?.kind === 'map') for (const [key, entry] of tree.entries) entries.set(key, entry)
  else if (tree?.kind === 'list') {
    for (const [index, item] of tree.items.entries()) {
      const text = item.kind === 'scalar' && typeof item.value === 'string' ? item.value : null
      if (text === null) reader.problem([...path, 'environment', index], 'expected text such as NAME=value', null)
      else {
        const at = text.indexOf('=')
        entries.set(at < 0 ? text : text.slice(0, at), {
          key: item.place,
          tree: { kind: 'scalar', place: item.place, value: at < 0 ? null : text.slice(at + 1) },
        })
      }
    }
  } else return tree
  for (const [name, { key, tree: value }] of entries) {
    if (GIVEN.test(name)) {
      entries.delete(name)
      reader.noteAt(key, [...path, 'environment', name], 'no effect: Weir gives each replica its own')
    } else if (value.kind === 'scalar' && value.value === null) {
      entries.delete(name)
      reader.noteAt(key, [...path, 'environment', name], `without a value here: set it with \`weir env set ${name}=…\``)
    } else if (value.kind === 'scalar' && typeof value.value === 'string')
      entries.set(name, { key, tree: { ...value, value: reader.readdress(value.value, key, [...path, 'environment', name]) } })
  }
  return { kind: 'map', place: tree.place, entries }
}

function secretsTree(tree: Tree | null, path: Path, reader: ComposeReader): Tree | null {
  if (tree?.kind !== 'list') return tree
  const items = tree.items.map((item, index): Tree => {
    if (item.kind !== 'map') return item
    for (const key of item.entries.keys())
      if (key !== 'source') reader.note([...path, 'secrets', index, key], 'no effect: the secret is the file `$SECRETS_DIR/NAME`')
    return item.entries.get('source')?.tree ?? item
  })
  return { ...tree, items }
}

function limitsTree(service: TreeMap, path: Path, reader: ComposeReader): Tree | null {
  const deploy = service.entries.get('deploy')?.tree
  const resources = deploy?.kind === 'map' ? deploy.entries.get('resources')?.tree : undefined
  const limits = resources?.kind === 'map' ? resources.entries.get('limits')?.tree : undefined
  if (deploy?.kind === 'map')
    for (const [key, effect] of Object.entries(DEPLOY_EFFECTS)) if (deploy.entries.has(key)) reader.note([...path, 'deploy', key], effect)
  if (resources?.kind === 'map' && resources.entries.has('reservations'))
    reader.note([...path, 'deploy', 'resources', 'reservations'], 'no effect: only limits count')
  const limit = (key: string) => (limits?.kind === 'map' ? limits.entries.get(key)?.tree : undefined)
  if (limit('pids')) reader.note([...path, 'deploy', 'resources', 'limits', 'pids'], 'no effect: cpus and memory are limited')
  const cpu = limit('cpus') ?? service.entries.get('cpus')?.tree ?? null
  const memory = limit('memory') ?? service.entries.get('mem_limit')?.tree ?? null
  if (!cpu && !memory) return null
  return mapTree((cpu ?? memory)!.place, { cpu, memory: memory && reader.bytes(memory, [...path, 'deploy', 'resources', 'limits', 'memory']) })
}

/** Compose keeps exactly as many as it is told. */
function scaleTree(service: TreeMap, path: Path, reader: ComposeReader): Tree | null {
  const deploy = service.entries.get('deploy')?.tree
  if (deploy && deploy.kind !== 'map') reader.problem([...path, 'deploy'], 'expected a map', null)
  const replicas = (deploy?.kind === 'map' ? deploy.entries.get('replicas')?.tree : undefined) ?? service.entries.get('scale')?.tree
  return replicas ? mapTree(replicas.place, { min: replicas, max: replicas }) : null
}

function stopTree(signal: Tree | null, grace: Tree | null, service: Tree): Tree | null {
  const named =
    signal?.kind === 'scalar' && typeof signal.value === 'string' && !signal.value.startsWith('SIG') ? { ...signal, value: `SIG${signal.value}` } : signal
  return signal || grace ? mapTree((signal ?? grace ?? service).place, { signal: named, grace }) : null
}
