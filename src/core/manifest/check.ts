import type { Problem } from './problems.ts'
import type { Path, Tree } from './tree.ts'
import { formatPath, keyPlaceOf, placeOf } from './tree.ts'

/** Collects what is wrong with one merged document beyond its schema. */
export class Check {
  readonly problems: Problem[] = []
  readonly #tree: Tree
  /** Paths that were refused, and all that lead to one. */
  readonly #refused = new Set<string>()
  readonly #leading = new Set<string>()

  constructor(tree: Tree, broken: readonly Path[]) {
    this.#tree = tree
    for (const path of broken) {
      this.#refused.add(key(path))
      for (let length = 0; length <= path.length; length += 1) this.#leading.add(key(path.slice(0, length)))
    }
  }

  /** Points at the value at `path`, or at the deepest key above it that exists. */
  problem(path: Path, message: string, hint: string | null = null): void {
    this.problems.push({ ...placeOf(this.#tree, path), code: 'E_MANIFEST', path: formatPath(path), message, hint })
  }

  /** Points at the key. */
  unsupported(path: Path, what: string, hint: string | null = null): void {
    this.problems.push({ ...keyPlaceOf(this.#tree, path), code: 'E_UNSUPPORTED', path: formatPath(path), message: `not yet supported: ${what}`, hint })
  }

  /** Points at the key, whose text is refused. */
  name(path: Path, refusal: { readonly message: string; readonly hint: string | null } | null, code: Problem['code'] = 'E_NAME'): void {
    if (refusal) this.problems.push({ ...keyPlaceOf(this.#tree, path), code, path: formatPath(path), ...refusal })
  }

  /** Something at, in or above `path` was refused already, so that nothing can be said about what is missing there. */
  broken(path: Path): boolean {
    return this.#leading.has(key(path)) || path.some((_, index) => this.#refused.has(key(path.slice(0, index + 1))))
  }
}

function key(path: Path): string {
  return path.join('\n')
}
