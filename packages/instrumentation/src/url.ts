const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const VARIABLE = /^(\d+|:token|:address)$/
const LEAST_TOKEN = 20

/**
 * A path that may be shown: without its query, and without parts that look like a token, a key or an address of someone.
 *
 * @example shownPath('/sessions/eyJhbGciOiJFZERTQSJ9abc?user=7') // '/sessions/:token'
 */
export function shownPath(target: string): string {
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  if (path.length < LEAST_TOKEN && !path.includes('@') && !path.includes('%40')) return path
  return path.split('/').map(shownPart).join('/').slice(0, 1024)
}

/**
 * The path as a name that many requests share, where no framework tells the route.
 *
 * @example pathPattern('/songs/17') // '/songs/:id'
 */
export function pathPattern(shown: string): string {
  if (!/[\d:]/.test(shown)) return shown
  return shown
    .split('/')
    .map((part) => (VARIABLE.test(part) || UUID.test(part) ? ':id' : part))
    .join('/')
}

function shownPart(part: string): string {
  if (/@|%40/.test(part)) return ':address'
  const mixed = part.length >= LEAST_TOKEN && /\d/.test(part) && /[a-z]/i.test(part)
  return mixed && !UUID.test(part) ? ':token' : part
}
