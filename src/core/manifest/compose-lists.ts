import type { ComposeReader } from './compose-reader.ts'
import type { Path, Tree, TreeEntry } from './tree.ts'
import { treeOf } from './tree.ts'

/**
 * `ports` and `expose`: the container's side counts. The first is `http`, others `port-NUMBER`, unless they have a name.
 * What is published decides where an app without routes is reached; the published number itself is not opened.
 */
export function portsOf(ports: Tree | null, expose: Tree | null, path: Path, reader: ComposeReader): Tree | null {
  const entries = new Map<string, TreeEntry>()
  const numbers = new Set<number>()
  for (const [key, list] of [
    ['ports', ports],
    ['expose', expose],
  ] as const) {
    if (list && list.kind !== 'list') reader.problem([...path, key], 'expected a list', null)
    for (const [index, item] of list?.kind === 'list' ? list.items.entries() : []) {
      const port = readPort(item)
      if (typeof port === 'string') reader.problem([...path, key, index], port, 'write "8080:80", the port inside last')
      else if (port.transport !== 'tcp') reader.unsupported([...path, key, index], `${port.transport} ports`, 'leave it out')
      else if (!numbers.has(port.number)) {
        numbers.add(port.number)
        const name = port.name ?? (entries.size === 0 ? 'http' : `port-${port.number}`)
        const protocol = port.protocol === null ? {} : { protocol: port.protocol }
        entries.set(name, { key: item.place, tree: treeOf(item.place, { port: port.number, ...protocol }) })
        if (key === 'ports') reader.published.add(String(path.at(-1)))
        if (port.published !== null)
          reader.note(
            [...path, key, index],
            `port ${port.published} of the machine is not opened: the app is reached at the address that Weir prints, or by \`routes\` in weir.yaml`,
          )
      }
    }
  }
  return entries.size > 0 ? { kind: 'map', place: (ports ?? expose)!.place, entries } : null
}

interface ComposePort {
  readonly number: number
  readonly published: string | null
  readonly transport: string
  readonly name: string | null
  readonly protocol: 'http' | 'grpc' | 'tcp' | null
}

function readPort(item: Tree): ComposePort | string {
  if (item.kind === 'scalar') {
    const match = /^(?:(?:(?:\[[0-9a-fA-F:]+\]|[0-9.]+):)?(\d+(?:-\d+)?)?:)?(\d+)(?:\/([a-z]+))?$/.exec(String(item.value ?? ''))
    if (!match)
      return /^\S*\d+-\d+\S*$/.test(String(item.value))
        ? 'a range of ports is not understood'
        : `expected a port such as "8080:80", got ${JSON.stringify(item.value)}`
    return { number: Number(match[2]), published: match[1] ?? null, transport: match[3] ?? 'tcp', name: null, protocol: null }
  }
  if (item.kind === 'list') return 'expected a port, got a list'
  const value = (key: string) => {
    const tree = item.entries.get(key)?.tree
    return tree?.kind === 'scalar' ? tree.value : null
  }
  const target = Number(value('target') ?? Number.NaN)
  if (!Number.isInteger(target)) return '`target` must be the port inside'
  const app = String(value('app_protocol') ?? '')
  const name = value('name')
  return {
    number: target,
    published: value('published') === null ? null : String(value('published')),
    transport: String(value('protocol') ?? 'tcp'),
    name: name === null ? null : String(name),
    protocol: app === 'grpc' || app === 'tcp' ? app : app.startsWith('http') ? 'http' : null,
  }
}

/** Named volumes are kept; folders of the machine are not mounted. */
export function mountsOf(volumes: Tree | null, path: Path, reader: ComposeReader): Tree | null {
  if (volumes && volumes.kind !== 'list') reader.problem([...path, 'volumes'], 'expected a list', null)
  const items: Tree[] = []
  for (const [index, item] of volumes?.kind === 'list' ? volumes.items.entries() : []) {
    const at: Path = [...path, 'volumes', index]
    const mount = readMount(item)
    if (mount === null) reader.problem(at, 'expected a volume such as "data:/var/data"', null)
    else if (mount.type === 'tmpfs') reader.note(at, 'no effect: each replica has a temporary folder of its own, `$TMPDIR`')
    else if (mount.source === null) reader.note(at, 'not kept: a volume without a name ends with its container; name it to keep it')
    else if (mount.type === 'bind')
      reader.note(at, 'not mounted: folders of the machine are not shared with apps; what lies in the source is part of the build')
    else {
      if (mount.readOnly) reader.note(at, 'kept, but not read-only')
      reader.note(at, `kept, but not mounted at ${mount.target}: a process finds the folder by \`$${mount.source.toUpperCase().replaceAll('-', '_')}_PATH\``)
      items.push(treeOf(item.place, { resource: reader.volume(mount.source, item), path: mount.target }))
    }
  }
  return items.length > 0 ? { kind: 'list', place: volumes!.place, items } : null
}

export function readMount(item: Tree): { type: 'volume' | 'bind' | 'tmpfs'; source: string | null; target: string; readOnly: boolean } | null {
  if (item.kind === 'map') {
    const value = (key: string) => {
      const tree = item.entries.get(key)?.tree
      return tree?.kind === 'scalar' ? tree.value : null
    }
    const type = value('type')
    if (typeof value('target') !== 'string' || (type !== 'volume' && type !== 'bind' && type !== 'tmpfs')) return null
    return { type, source: value('source') === null ? null : String(value('source')), target: String(value('target')), readOnly: value('read_only') === true }
  }
  if (item.kind !== 'scalar' || typeof item.value !== 'string') return null
  const [first = '', target, mode = ''] = item.value.split(':')
  if (target === undefined) return first.startsWith('/') ? { type: 'volume', source: null, target: first, readOnly: false } : null
  return { type: /^[./~]/.test(first) ? 'bind' : 'volume', source: first, target, readOnly: mode.split(',').includes('ro') }
}
