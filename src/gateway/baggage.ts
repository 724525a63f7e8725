/**
 * The one member of the W3C `baggage` header that Weir owns. It carries the track assigned at the entry through services
 * that know nothing of it; every other member is passed on as it came.
 */
const MEMBER = 'weir-track'

export type Track = 'stable' | 'canary'

/**
 * The track that baggage tells of, or null.
 *
 * @example trackOf('user=7, weir-track=canary') // 'canary'
 */
export function trackOf(baggage: string | null): Track | null {
  if (baggage === null || !baggage.includes(MEMBER)) return null
  for (const member of baggage.split(',')) {
    const [key, value] = keyAndValue(member)
    if (key === MEMBER && (value === 'stable' || value === 'canary')) return value
  }
  return null
}

/**
 * `baggage` with exactly `track` in it; null takes the member out, and an empty result is null: no header.
 *
 * @example withTrack('user=7,weir-track=canary', 'stable') // 'user=7,weir-track=stable'
 */
export function withTrack(baggage: string | null, track: Track | null): string | null {
  const mine = track === null ? null : `${MEMBER}=${track}`
  if (baggage === null || baggage === '') return mine
  if (!baggage.includes(MEMBER)) return mine === null ? baggage : `${baggage},${mine}`
  const others = baggage.split(',').filter((member) => member.trim() !== '' && keyAndValue(member)[0] !== MEMBER)
  if (mine !== null) others.push(mine)
  return others.length > 0 ? others.join(',') : null
}

function keyAndValue(member: string): [key: string, value: string] {
  const pair = member.split(';', 1)[0] as string
  const at = pair.indexOf('=')
  return at === -1 ? [pair.trim(), ''] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
}
