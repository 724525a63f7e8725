import { isWeirError } from '../errors.ts'

const WITHIN_MS = 800

/**
 * Which of these do not answer now.
 *
 * @example await silentParts({ runner: () => daemons.list(), gateway: () => gateway.environments() }) // [] when all is well
 */
export async function silentParts(parts: Readonly<Record<string, () => Promise<unknown>>>, withinMs = WITHIN_MS): Promise<{ part: string; cause: string }[]> {
  const asked = Object.entries(parts).map(async ([part, ask]) => {
    const cause = await causeOfSilence(ask, withinMs)
    return cause === null ? [] : [{ part, cause }]
  })
  return (await Promise.all(asked)).flat()
}

async function causeOfSilence(ask: () => Promise<unknown>, withinMs: number): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => (timer = setTimeout(() => resolve(`no answer in ${withinMs} ms`), withinMs)))
  const asked = ask().then(
    () => null,
    (error: unknown) => (isWeirError(error) ? (error.explanation.cause ?? error.message) : 'it failed'),
  )
  return Promise.race([asked, late]).finally(() => clearTimeout(timer))
}
