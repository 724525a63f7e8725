import type { Patch } from '../when-loaded.ts'
import { setError } from './http-server.ts'

type HandleError = (this: unknown, error: unknown, request: object, ...rest: unknown[]) => unknown
type FinalHandler = (request: object, ...rest: unknown[]) => (error?: unknown) => unknown

/**
 * Express answers for a handler that threw, so the error is seen where it is passed on: to an error handler of the app, or to the one at the end.
 * The route needs no patch: express leaves it on the request.
 */
export const EXPRESS_PATCHES: readonly (readonly [string, Patch])[] = [
  ['express/lib/router/layer.js', (layer: { prototype: Record<string, HandleError> }) => patchLayer(layer.prototype, 'handle_error')],
  ['router/lib/layer.js', (layer: { prototype: Record<string, HandleError> }) => patchLayer(layer.prototype, 'handleError')],
  ['finalhandler/index.js', patchFinalHandler],
]

function patchLayer(prototype: Record<string, HandleError>, method: string): void {
  const handle = prototype[method]
  if (typeof handle !== 'function') return
  prototype[method] = function tracedError(this: unknown, error, request, ...rest) {
    setError(request, error)
    return Reflect.apply(handle, this, [error, request, ...rest])
  }
}

function patchFinalHandler(finalHandler: FinalHandler): FinalHandler {
  return Object.assign((request: object, ...rest: unknown[]) => {
    const handle = finalHandler(request, ...rest)
    return (error?: unknown) => {
      if (error instanceof Error) setError(request, error)
      return handle(error)
    }
  }, finalHandler)
}
