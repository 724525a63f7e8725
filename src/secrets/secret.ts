export const HIDDEN = '«hidden»'

/**
 * A value that must not be printed: templates, JSON, logs and the debugger's view show «hidden»; only `reveal` gives it out.
 *
 * @example `${new Secret('s3cret')}` // '«hidden»'
 */
export class Secret {
  readonly #value: Uint8Array

  constructor(value: Uint8Array | string) {
    this.#value = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
  }

  reveal(): Uint8Array {
    return this.#value
  }
  revealText(): string {
    return Buffer.from(this.#value).toString('utf8')
  }

  toString(): string {
    return HIDDEN
  }
  toJSON(): string {
    return HIDDEN
  }
  [Symbol.toPrimitive](): string {
    return HIDDEN
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return HIDDEN
  }
}
