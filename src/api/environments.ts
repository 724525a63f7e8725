import { WeirError } from '../errors.ts'
import { environmentView } from './environment-view.ts'
import { found, labelOf, refOf } from './found.ts'
import type { Handlers } from './route.ts'

/** How long the page waits for what runs now; without it, what is wanted is shown. */
const OBSERVE_MS = 2_000

export const environments: Handlers<'environments.show'> = {
  'environments.show': async (call) => {
    const ref = refOf(call)
    const detail = found(await call.ports.queries.environment(ref), labelOf(ref))
    const observed = await within(OBSERVE_MS, call.ports.live.observe(detail.id)).catch((error: Error) => error)
    return environmentView(detail, observed, call.options)
  },
}

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new WeirError('E_TIMEOUT', { message: 'what runs now is not known', cause: `no answer within ${ms / 1000} s` })), ms)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
