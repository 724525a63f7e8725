/** What a column can hold here, by PostgreSQL's names. */
export type ColumnType = 'int2' | 'int4' | 'int8' | 'float8' | 'bool' | 'text' | 'bytea' | 'timestamptz' | 'text[]' | 'int8[]' | 'int4[]'

export interface TableShape {
  /** With its schema. */
  readonly table: string
  readonly columns: Readonly<Record<string, ColumnType>>
}

/** `null` is NULL; a timestamptz is microseconds since 1970. */
export type Cell = number | string | boolean | Uint8Array | readonly string[] | readonly number[] | null

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
/** PostgreSQL counts from 2000. */
const EPOCH_US = 946_684_800_000_000
const OIDS = { 'text[]': 25, 'int8[]': 20, 'int4[]': 23 } as const
const FIRST_SIZE = 64 * 1024

/**
 * Rows of one table as COPY takes them, in its binary format: nothing to quote, nothing for PostgreSQL to parse.
 *
 * @example
 * const rows = new CopyRows({ table: 'telemetry.marks', columns: { name: 'text', value: 'int8' } })
 * rows.add(['intake', 7])
 * rows.statement // 'copy telemetry.marks (name, value) from stdin (format binary)'
 */
export class CopyRows {
  readonly shape: TableShape
  readonly #types: readonly ColumnType[]
  #bytes = Buffer.allocUnsafe(FIRST_SIZE)
  #length = SIGNATURE.copy(this.#bytes)
  count = 0

  constructor(shape: TableShape) {
    this.shape = shape
    this.#types = Object.values(shape.columns)
  }

  get statement(): string {
    return `copy ${this.shape.table} (${Object.keys(this.shape.columns).join(', ')}) from stdin (format binary)`
  }

  get byteLength(): number {
    return this.#length
  }

  add(cells: readonly Cell[]): void {
    this.#room(2)
    this.#length = this.#bytes.writeInt16BE(this.#types.length, this.#length)
    for (let at = 0; at < this.#types.length; at++) this.#cell(this.#types[at] as ColumnType, cells[at] ?? null)
    this.count++
  }

  /** All of it, with the end mark; the rows stay, so that a failed COPY can be done again. */
  finished(): Buffer {
    this.#room(2)
    this.#bytes.writeInt16BE(-1, this.#length)
    return this.#bytes.subarray(0, this.#length + 2)
  }

  #cell(type: ColumnType, cell: Cell): void {
    if (cell === null) {
      this.#room(4)
      this.#length = this.#bytes.writeInt32BE(-1, this.#length)
    } else if (typeof cell === 'string') this.#text(cell)
    else if (typeof cell === 'number') this.#number(type, cell)
    else if (typeof cell === 'boolean') this.#fixed(1, (bytes, at) => bytes.writeUInt8(cell ? 1 : 0, at))
    else if (cell instanceof Uint8Array) {
      this.#room(4 + cell.length)
      this.#length = this.#bytes.writeInt32BE(cell.length, this.#length)
      this.#bytes.set(cell, this.#length)
      this.#length += cell.length
    } else this.#array(type as keyof typeof OIDS, cell)
  }

  #number(type: ColumnType, value: number): void {
    if (type === 'float8') this.#fixed(8, (bytes, at) => bytes.writeDoubleBE(value, at))
    else if (type === 'int2') this.#fixed(2, (bytes, at) => bytes.writeInt16BE(value, at))
    else if (type === 'int4') this.#fixed(4, (bytes, at) => bytes.writeInt32BE(value, at))
    else this.#fixed(8, (bytes, at) => writeInt64(bytes, type === 'timestamptz' ? value - EPOCH_US : value, at))
  }

  /** One dimension, counted from 1, without NULLs. */
  #array(type: keyof typeof OIDS, values: readonly (string | number)[]): void {
    this.#room(24)
    const begin = this.#length
    this.#length += 4
    for (const word of [values.length === 0 ? 0 : 1, 0, OIDS[type]]) this.#length = this.#bytes.writeInt32BE(word, this.#length)
    if (values.length > 0) {
      this.#length = this.#bytes.writeInt32BE(values.length, this.#length)
      this.#length = this.#bytes.writeInt32BE(1, this.#length)
      const element = type.slice(0, -2) as ColumnType
      for (const value of values) this.#cell(element, value)
    }
    this.#bytes.writeInt32BE(this.#length - begin - 4, begin)
  }

  #text(value: string): void {
    // text cannot hold U+0000, and half a surrogate pair is not UTF-8
    const text = value.includes('\u0000') ? value.replaceAll('\u0000', '\ufffd') : value
    this.#room(4 + text.length * 3)
    const written = this.#bytes.write(text, this.#length + 4)
    this.#bytes.writeInt32BE(written, this.#length)
    this.#length += 4 + written
  }

  #fixed(size: number, write: (bytes: Buffer, at: number) => void): void {
    this.#room(4 + size)
    this.#length = this.#bytes.writeInt32BE(size, this.#length)
    write(this.#bytes, this.#length)
    this.#length += size
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#length + bytes, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

/** Whole numbers up to 2^53, without a BigInt each. */
function writeInt64(bytes: Buffer, value: number, at: number): void {
  const whole = Math.trunc(value)
  const high = Math.floor(whole / 2 ** 32)
  bytes.writeInt32BE(high, at)
  bytes.writeUInt32BE(whole - high * 2 ** 32, at + 4)
}
