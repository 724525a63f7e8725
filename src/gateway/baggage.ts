/**
 * The members of the W3C `baggage` header that Weir owns. They carry what was decided at the entry through services that know
 * nothing of it; every other member is passed on as it came.
 */
const MEMBER = 'weir-track'
/** Who asks, as a keyed hash, while clients are what is judged. */
const CLIENT = 'weir-client'
const OURS = 'weir-'

export type Track = 'stable' | 'canary'
/** `shadow`: a copy, which must have no effect. A trial's groups have marks of their own: a split that begins meanwhile is not to take them for its. */
export type Mark = Track | 'shadow' | 'trial-stable' | 'trial-canary'

/**
 * What baggage says of the track, or null.
 *
 * @example markOf('user=7, weir-track=canary') // 'canary'
 */
export function markOf(baggage: string | null): Mark | null {
  if (baggage === null || !baggage.includes(MEMBER)) return null
  for (const member of baggage.split(',')) {
    const [key, value] = keyAndValue(member)
    if (key === MEMBER && isMark(value)) return value
  }
  return null
}

/** The client that baggage tells of, or null. */
export function clientOf(baggage: string | null): string | null {
  if (baggage === null || !baggage.includes(CLIENT)) return null
  for (const member of baggage.split(',')) {
    const [key, value] = keyAndValue(member)
    if (key === CLIENT && /^[0-9a-f]{16}$/.test(value)) return value
  }
  return null
}

/**
 * `baggage` with exactly `mark` and `client` in it; null takes the member out, and an empty result is null: no header.
 *
 * @example withMark('user=7,weir-track=canary', 'stable', null) // 'user=7,weir-track=stable'
 */
export function withMark(baggage: string | null, mark: Mark | null, client: string | null): string | null {
  const mine = mark === null ? null : client === null ? `${MEMBER}=${mark}` : `${MEMBER}=${mark},${CLIENT}=${client}`
  if (baggage === null || baggage === '') return mine
  if (!baggage.includes(OURS)) return mine === null ? baggage : `${baggage},${mine}`
  const others = baggage.split(',').filter((member) => member.trim() !== '' && !isOurs(keyAndValue(member)[0]))
  if (mine !== null) others.push(mine)
  return others.length > 0 ? others.join(',') : null
}

function isOurs(key: string): boolean {
  return key === MEMBER || key === CLIENT
}

function isMark(value: string): value is Mark {
  return value === 'stable' || value === 'canary' || value === 'shadow' || value === 'trial-stable' || value === 'trial-canary'
}

function keyAndValue(member: string): [key: string, value: string] {
  const pair = member.split(';', 1)[0] as string
  const at = pair.indexOf('=')
  return at === -1 ? [pair.trim(), ''] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
}
