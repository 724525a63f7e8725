/** How many spans are in traces that are not closed, of all environments and of each. */
export class OpenSpans {
  total = 0
  readonly #byScope = new Map<number, number>()

  of(scope: number): number {
    return this.#byScope.get(scope) ?? 0
  }

  /** So many more, or (negative) fewer. */
  add(scope: number, more: number): void {
    this.total += more
    const open = this.of(scope) + more
    if (open > 0) this.#byScope.set(scope, open)
    else this.#byScope.delete(scope)
  }
}
