import type { Session } from './session.ts'

/** `--minutes`: how far to look back; without it, the server's own measure. */
export function minutesOf(session: Session): { readonly minutes?: number } {
  const minutes = session.count('minutes')
  return minutes === undefined ? {} : { minutes }
}
