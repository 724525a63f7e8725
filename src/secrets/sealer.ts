/**
 * Makes bytes unreadable without the key file. `context` says what they are (tenant, environment, name, version): sealed bytes open only
 * under the context they were sealed in, so that nobody can move them to another row.
 */
export interface Sealer {
  seal(plain: Uint8Array, context: readonly string[]): Buffer
  /** Throws `E_STATE` when the bytes were altered, moved, or sealed with another key. */
  open(sealed: Uint8Array, context: readonly string[]): Buffer
}
