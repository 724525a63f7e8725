/**
 * The route that a request belongs to, as seen from its path: what varies from request to request becomes `:id`, so that
 * `/users/17` and `/users/18` are counted together. Gateway and telemetry use this one function; where an app reports
 * `http.route` itself, that comes first.
 *
 * | segment                              | becomes |
 * |--------------------------------------|---------|
 * | only digits                          | `:id`   |
 * | a UUID                               | `:id`   |
 * | ≥ 8 hex digits, one of them a number | `:id`   |
 * | over 24 characters                   | `:id`   |
 * | ≥ 12 characters with a digit in it   | `:id`   |
 * | anything else                        | itself  |
 *
 * @example routePattern('/users/17/orders?page=2') // '/users/:id/orders'
 */
export function routePattern(path: string): string {
  const end = path.search(/[?#]/)
  const bare = end === -1 ? path : path.slice(0, end)
  const segments = bare.split('/').slice(0, MAX_DEPTH + 1)
  return segments.map((segment) => (isVariable(segment) ? ':id' : segment)).join('/') || '/'
}

/** Patterns a service keeps apart; the rest is counted as `other`. */
export const MAX_ROUTES = 50
export const OTHER_ROUTE = 'other'

const MAX_DEPTH = 8
const DIGITS = /^\d+$/
const HEX = /^(?=.*\d)[0-9a-f]{8,}$/i
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

function isVariable(segment: string): boolean {
  if (segment.length === 0) return false
  if (segment.length > 24) return true
  const first = segment.charCodeAt(0)
  if (segment.length < 8 && (first < 48 || first > 57)) return false
  return DIGITS.test(segment) || HEX.test(segment) || UUID.test(segment) || (segment.length >= 12 && /\d/.test(segment))
}
