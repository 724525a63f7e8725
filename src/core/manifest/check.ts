import type { Problem } from './problems.ts'
import { formatPath, keyPlaceOf, placeOf } from './tree.ts'
import type { Path, Tree } from './tree.ts'

/** Collects what is wrong with one merged document beyond its schema. */
export class Check {
  readonly problems: Problem[] = []
  readonly #tree: Tree
  readonly #broken: readonly Path[]

  constructor(tree: Tree, broken: readonly Path[]) {
    this.#tree = tree
    this.#broken = broken
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

  /** Something at or around `path` was refused already, so that nothing can be said about what is missing there. */
  broken(path: Path): boolean {
    return this.#broken.some((other) => other.every((step, index) => index >= path.length || String(step) === String(path[index])))
  }
}
