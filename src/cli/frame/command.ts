import type { Client } from '../../../packages/client/src/client.ts'
import type { CommandView } from '../../../packages/client/src/types.ts'
import { CATALOGUE, type ErrorCode, WeirError } from '../../errors.ts'
import type { AppContext } from './context.ts'

const POLL_MS = 50
const POLL_MAX_MS = 1000

/** Waits until the environment's controller has taken an accepted command; throws when it was refused. */
export async function commandTaken(client: Client, context: AppContext, command: number, timeoutMs = 30_000): Promise<CommandView> {
  const deadline = performance.now() + timeoutMs
  for (let pause = POLL_MS; ; pause = Math.min(POLL_MAX_MS, pause * 1.5)) {
    const view = await client.call('commands.show', { params: { ...context, command } })
    if (view.outcome === 'refused') throw refusal(view)
    if (view.outcome === 'consumed') return view
    if (performance.now() > deadline) {
      throw new WeirError('E_TIMEOUT', {
        message: `${view.kind} was not taken up yet`,
        state: 'it is stored and will be done in its turn',
        next: 'weir status',
      })
    }
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
}

function refusal(view: CommandView): WeirError {
  const because = view.because
  const code: ErrorCode = because !== null && because.code in CATALOGUE ? (because.code as ErrorCode) : 'E_CONFLICT'
  return new WeirError(code, { message: `${view.kind} was refused`, ...(because === null ? {} : { cause: because.text }), next: 'weir status' })
}
