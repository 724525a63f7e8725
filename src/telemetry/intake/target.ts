export type Target = 'traces' | 'metrics' | 'logs' | 'zipkin'

const TARGETS: Readonly<Record<string, Target>> = {
  '/v1/traces': 'traces',
  '/v1/metrics': 'metrics',
  '/v1/logs': 'logs',
  '/api/v2/spans': 'zipkin',
}
const WITH_KEY = /^\/k\/([^/]{1,200})(\/.*)$/

/**
 * What a request is for, and the key in its path: clients that cannot send headers have it there.
 *
 * @example targetOf('/k/e12.9f1c/api/v2/spans?x') // { target: 'zipkin', key: 'e12.9f1c' }
 */
export function targetOf(url: string): { target: Target | null; key: string | null } {
  const end = url.indexOf('?')
  const path = end === -1 ? url : url.slice(0, end)
  const match = WITH_KEY.exec(path)
  const rest = match ? (match[2] as string) : path
  return { target: TARGETS[rest.length > 1 && rest.endsWith('/') ? rest.slice(0, -1) : rest] ?? null, key: match ? (match[1] as string) : null }
}
