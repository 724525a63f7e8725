import type { Scope } from './scope.ts'

/** Whether a trace is recorded: asked for each span, with the parent it has. */
export type Sampler = (parent: Scope | undefined, traceId: string) => boolean

/**
 * `OTEL_TRACES_SAMPLER` and its argument. Unknown names are the default, `parentbased_always_on`.
 *
 * @example samplerNamed('parentbased_traceidratio', '0.01')
 */
export function samplerNamed(name: string, argument: string): Sampler {
  const parentBased = name.startsWith('parentbased_')
  const root = rootSampler(parentBased ? name.slice('parentbased_'.length) : name, argument)
  if (!parentBased && ['always_on', 'always_off', 'traceidratio'].includes(name)) return (_parent, traceId) => root(traceId)
  return (parent, traceId) => (parent === undefined || parent.traceId === '' ? root(traceId) : parent.sampled)
}

/** The share of a ratio is taken by the last 56 bits of the trace id, so that all services agree on a trace. */
function rootSampler(name: string, argument: string): (traceId: string) => boolean {
  if (name === 'always_off') return () => false
  if (name !== 'traceidratio') return () => true
  const ratio = argument === '' ? 1 : Number(argument)
  const share = Number.isFinite(ratio) ? Math.min(1, Math.max(0, ratio)) : 1
  return (traceId) => Number.parseInt(traceId.slice(-14), 16) >= (1 - share) * 2 ** 56
}
