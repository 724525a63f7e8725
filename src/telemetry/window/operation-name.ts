import { routePattern } from '../../core/model/route-pattern.ts'

/** A method, then a path: what instrumentation without routes calls its spans. */
const METHOD_AND_PATH = /^([A-Za-z]+ )?(?:https?:\/\/[^/\s]+)?(\/\S*)$/

/**
 * The operation that a span name stands for. Only paths are generalised: `oteldemo.CartService/AddItem` and a long query keep their words.
 *
 * @example operationName('GET /users/17') // 'GET /users/:id'
 */
export function operationName(spanName: string): string {
  const match = METHOD_AND_PATH.exec(spanName)
  return match ? `${match[1] ?? ''}${routePattern(match[2] as string)}` : spanName
}
