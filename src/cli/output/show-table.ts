import type { Session } from '../frame/session.ts'
import { type Column, tableLines } from './table.ts'

/** Prints a list: as a table for people, as data for machines. `none` says what to do when it is empty. */
export async function showTable<Row>(session: Session, rows: readonly Row[], columns: readonly Column<Row>[], none: string): Promise<void> {
  await session.print(rows, () => (rows.length === 0 ? [none] : rowsAsTable(session, rows, columns)))
}

export function rowsAsTable<Row>({ terminal, format }: Session, rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
  return tableLines(rows, columns, { wide: format === 'wide', width: format === 'wide' ? null : terminal.width(), heading: terminal.colours.dim })
}
