import { WeirError } from '../errors.ts'
import type { Page, PageRequest } from './queries.ts'

const LARGEST_PAGE = 200

/** How many rows to ask for: one more than shown tells whether something follows. */
export function askFor(page: PageRequest): number {
  return sizeOf(page) + 1
}

/** Cuts off the extra row; the cursor is the key of the last row shown. */
export function pageOf<T>(rows: readonly T[], page: PageRequest, key: (row: T) => string | number): Page<T> {
  const items = rows.slice(0, sizeOf(page))
  const last = items.at(-1)
  return { items, cursor: rows.length > items.length && last !== undefined ? cursorAt(key(last)) : null }
}

/** For a list that ended before its end. */
export function cursorAt(key: string | number): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url')
}

export function afterName(page: PageRequest): string {
  const key = keyOf(page)
  if (key === null) return ''
  if (typeof key !== 'string') throw badCursor()
  return key
}

/** For lists that count down from the newest. */
export function beforeNumber(page: PageRequest): number {
  const key = keyOf(page)
  if (key === null) return Number.MAX_SAFE_INTEGER
  if (typeof key !== 'number' || !Number.isSafeInteger(key)) throw badCursor()
  return key
}

function keyOf(page: PageRequest): unknown {
  if (page.cursor === null) return null
  try {
    return JSON.parse(Buffer.from(page.cursor, 'base64url').toString('utf8'))
  } catch {
    throw badCursor()
  }
}

function sizeOf(page: PageRequest): number {
  return Math.min(Math.max(Math.trunc(page.limit) || 1, 1), LARGEST_PAGE)
}

export function badCursor(): WeirError {
  return new WeirError('E_USAGE', { message: 'the cursor is not one that a list gave', next: 'ask for the first page again, without a cursor' })
}
