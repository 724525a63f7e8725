import { kindOf, toName } from './leaves.ts'
import type { Note, Place, Problem } from './problems.ts'
import { parseComposeBytes } from './quantity.ts'
import type { Path, Tree, TreeEntry } from './tree.ts'
import { formatPath, keyPlaceOf, mapTree, placeOf, treeOf, valueOf } from './tree.ts'

/** Collects notes, problems and what services make necessary while one compose file is translated. */
export class ComposeReader {
  readonly problems: Problem[] = []
  readonly notes: Note[] = []
  /** Databases and volumes that services brought along. */
  readonly resources = new Map<string, TreeEntry>()
  readonly published = new Set<string>()
  readonly #volumes = new Map<string, string>()
  readonly #tree: Tree
  readonly #services: ReadonlySet<string>
  readonly #databases: ReadonlySet<string>

  constructor(tree: Tree, services: ReadonlySet<string>, databases: ReadonlySet<string>) {
    this.#tree = tree
    this.#services = services
    this.#databases = databases
  }

  problem(path: Path, message: string, hint: string | null): void {
    this.problems.push({ ...placeOf(this.#tree, path), code: 'E_MANIFEST', path: formatPath(path), message, hint })
  }

  problemAtKey(path: Path, message: string, hint: string | null): void {
    this.problems.push({ ...keyPlaceOf(this.#tree, path), code: 'E_MANIFEST', path: formatPath(path), message, hint })
  }

  unsupported(path: Path, what: string, hint: string | null): void {
    this.problems.push({ ...keyPlaceOf(this.#tree, path), code: 'E_UNSUPPORTED', path: formatPath(path), message: `not yet supported: ${what}`, hint })
  }

  note(path: Path, effect: string): void {
    this.noteAt(keyPlaceOf(this.#tree, path), path, effect)
  }

  noteAt(place: Place, path: Path, effect: string): void {
    this.notes.push({ file: place.file, line: place.line, column: place.column, path: formatPath(path), effect })
  }

  /** Volume names may have `_` and capitals in compose; nothing else refers to them, so they are rewritten. Returns Weir's name. */
  volume(written: string, tree: Tree): string {
    const name = this.#volumes.get(written) ?? this.#free(written)
    this.#volumes.set(written, name)
    this.resources.set(name, { key: tree.place, tree: mapTree(tree.place, { type: treeOf(tree.place, 'volume') }) })
    return name
  }

  /** The nearest name that no other volume was given; as written when there is none, and then refused by name. */
  #free(written: string): string {
    const name = toName(written)
    return name === null || this.resources.has(name) ? written : name
  }

  /** Compose's units, rewritten as Weir's: `512m` is `536870912B`. */
  bytes(tree: Tree, path: Path): Tree {
    const bytes = tree.kind === 'scalar' && (typeof tree.value === 'string' || typeof tree.value === 'number') ? parseComposeBytes(String(tree.value)) : null
    if (bytes === null) this.problem(path, `expected a size such as 512m, got ${kindOf(valueOf(tree))}`, null)
    return treeOf(tree.place, `${bytes ?? 512 * 2 ** 20}B`)
  }

  /**
   * Compose gives each service its name as host name; here addresses are given. Values that are such an address become templates:
   * `http://api:3000/v1` → `${services.api.url}/v1`, `postgres://u:p@db/x` → `${resources.db.url}`, `db` → `${resources.db.host}`.
   */
  readdress(value: string, place: Place, path: Path): string {
    const url = /^(https?|postgres(?:ql)?):\/\/(?:[^@/\s]*@)?([A-Za-z0-9_.-]+)(?::\d+)?(\/.*)?$/.exec(value)
    const bare = /^([A-Za-z0-9_.-]+)(:\d+)?$/.exec(value)
    let address: string | null = null
    if (url && this.#databases.has(url[2]!) && url[1]!.startsWith('postgres')) address = `\${resources.${url[2]}.url}`
    else if (url && this.#services.has(url[2]!) && !this.#databases.has(url[2]!) && url[1]!.startsWith('http'))
      address = `\${services.${url[2]}.url}${url[3] ?? ''}`
    else if (bare && this.#databases.has(bare[1]!)) address = `\${resources.${bare[1]}.host}${bare[2] ? `:\${resources.${bare[1]}.port}` : ''}`
    else if (bare?.[2] && this.#services.has(bare[1]!)) address = `\${services.${bare[1]}.host}:\${services.${bare[1]}.port}`
    if (address === null) return value
    this.noteAt(place, path, `became \`${address}\`: service names are not host names here`)
    return address
  }
}
