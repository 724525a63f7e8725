import type { Place } from './problems.ts'

/**
 * A parsed document in which every value knows where it was written. Overlays are merged on trees,
 * so that a problem found after the merge still points at the file and line that caused it.
 */
export type Tree = TreeMap | TreeList | TreeScalar
export interface TreeMap {
  readonly kind: 'map'
  readonly place: Place
  readonly entries: ReadonlyMap<string, TreeEntry>
}
export interface TreeEntry {
  readonly key: Place
  readonly tree: Tree
}
export interface TreeList {
  readonly kind: 'list'
  readonly place: Place
  readonly items: readonly Tree[]
}
export interface TreeScalar {
  readonly kind: 'scalar'
  readonly place: Place
  readonly value: string | number | boolean | null
}

export type Path = readonly (string | number)[]

/** The value without places. Maps have no prototype, so no key of a file can reach one. */
export function valueOf(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value
  if (tree.kind === 'list') return tree.items.map(valueOf)
  const object: Record<string, unknown> = Object.create(null)
  for (const [key, entry] of tree.entries) object[key] = valueOf(entry.tree)
  return object
}

/** The value at `path`, or null. */
export function find(tree: Tree, path: Path): Tree | null {
  let at: Tree | undefined = tree
  for (const step of path) {
    if (at?.kind === 'map') at = at.entries.get(String(step))?.tree
    else if (at?.kind === 'list') at = at.items[Number(step)]
    else return null
  }
  return at ?? null
}

/** Where `path` is written: of a plain value its place, of a map or list that of its key; for what is missing, the deepest that exists above it. */
export function placeOf(tree: Tree, path: Path): Place {
  let at = tree
  let place = tree.place
  for (const step of path) {
    const entry: TreeEntry | undefined =
      at.kind === 'map'
        ? at.entries.get(String(step))
        : at.kind === 'list' && at.items[Number(step)]
          ? { key: at.items[Number(step)]!.place, tree: at.items[Number(step)]! }
          : undefined
    if (!entry) return place
    place = entry.key
    at = entry.tree
  }
  return at.kind === 'scalar' ? at.place : place
}

/** Where the key itself is written, for a key that should not be there or a name that cannot be used. */
export function keyPlaceOf(tree: Tree, path: Path): Place {
  const parent = find(tree, path.slice(0, -1))
  const entry = parent?.kind === 'map' ? parent.entries.get(String(path.at(-1))) : undefined
  return entry?.key ?? placeOf(tree, path)
}

/** `over` on `base`: maps key by key, everything else replaced. */
export function merge(base: Tree, over: Tree): Tree {
  if (base.kind !== 'map' || over.kind !== 'map') return over
  const entries = new Map(base.entries)
  for (const [key, entry] of over.entries) {
    const below = entries.get(key)
    entries.set(key, below ? { key: entry.key, tree: merge(below.tree, entry.tree) } : entry)
  }
  return { kind: 'map', place: over.place, entries }
}

/** Without the values at `paths`. */
export function prune(tree: Tree, paths: readonly Path[]): Tree {
  if (paths.length === 0 || tree.kind === 'scalar') return tree
  const below = Map.groupBy(paths, (path) => String(path[0]))
  const rest = (step: string | number): Path[] => (below.get(String(step)) ?? []).map((path) => path.slice(1))
  const gone = (inner: readonly Path[]) => inner.some((path) => path.length === 0)
  if (tree.kind === 'list') return { ...tree, items: tree.items.flatMap((item, index) => (gone(rest(index)) ? [] : [prune(item, rest(index))])) }
  const entries = [...tree.entries].flatMap(([key, entry]): [string, TreeEntry][] =>
    gone(rest(key)) ? [] : [[key, { key: entry.key, tree: prune(entry.tree, rest(key)) }]],
  )
  return { ...tree, entries: new Map(entries) }
}

/** A map built by hand, each value under its own place: for formats that are translated into Weir's. */
export function mapTree(place: Place, values: Readonly<Record<string, Tree | null>>): TreeMap {
  const entries = new Map<string, TreeEntry>()
  for (const [key, tree] of Object.entries(values)) if (tree) entries.set(key, { key: tree.place, tree })
  return { kind: 'map', place, entries }
}

/** Any JSON value as a tree, all of it at one place. */
export function treeOf(place: Place, value: unknown): Tree {
  if (Array.isArray(value)) return { kind: 'list', place, items: value.map((item) => treeOf(place, item)) }
  if (typeof value === 'object' && value !== null) {
    const entries = new Map(Object.entries(value).map(([key, item]) => [key, { key: place, tree: treeOf(place, item) }]))
    return { kind: 'map', place, entries }
  }
  return { kind: 'scalar', place, value: value as TreeScalar['value'] }
}

export function formatPath(path: Path): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : step))
    .reduce((text, step) => (step.startsWith('[') || text === '' ? text + step : `${text}.${step}`), '')
}
