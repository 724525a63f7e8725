import { displayWidth, padEnd, truncate } from './escape.ts'

export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string
  /** Only with `-o wide`. */
  readonly wide?: boolean
  /** May be cut when the terminal is narrow. */
  readonly flexible?: boolean
}

export interface TableStyle {
  readonly wide: boolean
  /** Columns of the terminal; null: as wide as it gets (a pipe). */
  readonly width: number | null
  readonly heading: (text: string) => string
}

/**
 * Rows in aligned columns, two spaces apart; the last is not padded. A flexible column gives way when the terminal is too narrow.
 *
 * @example tableLines([{ name: 'web' }], [{ title: 'SERVICE', value: (row) => row.name }], style) // ['SERVICE', 'web']
 */
export function tableLines<Row>(rows: readonly Row[], columns: readonly Column<Row>[], style: TableStyle): string[] {
  const shown = columns.filter((column) => style.wide || !column.wide)
  const cells = rows.map((row) => shown.map((column) => column.value(row)))
  const widths = shown.map((column, at) => Math.max(displayWidth(column.title), ...cells.map((row) => displayWidth(row[at] ?? ''))))
  shrink(shown, widths, style.width)
  const line = (texts: readonly string[]) =>
    texts.map((text, at) => (at === texts.length - 1 ? fit(text, widths[at] ?? 0) : padEnd(fit(text, widths[at] ?? 0), widths[at] ?? 0))).join('  ')
  return [style.heading(line(shown.map((column) => column.title)).trimEnd()), ...cells.map((row) => line(row).trimEnd())]
}

function fit(text: string, width: number): string {
  return displayWidth(text) <= width ? text : truncate(text, width)
}

const NARROWEST_FLEXIBLE = 8

function shrink<Row>(columns: readonly Column<Row>[], widths: number[], available: number | null): void {
  if (available === null) return
  let over = widths.reduce((sum, width) => sum + width, 0) + 2 * (widths.length - 1) - available
  for (let at = columns.length - 1; at >= 0 && over > 0; at -= 1) {
    if (!columns[at]?.flexible) continue
    const width = widths[at] ?? 0
    const less = Math.min(over, Math.max(0, width - NARROWEST_FLEXIBLE))
    widths[at] = width - less
    over -= less
  }
}
