import type { Service } from './app-graph.ts'

/**
 * Why a service cannot have so many replicas, or null. `replicas: null`: as the manifest says.
 *
 * @example scaleProblem({ name: 'web', scale: { min: 1, max: 10 } }, 12) // 'web has at most 10 replicas: …'
 */
export function scaleProblem({ name, scale }: Pick<Service, 'name' | 'scale'>, replicas: number | null): string | null {
  if (replicas === null || (replicas >= scale.min && replicas <= scale.max)) return null
  const [key, bound] = replicas < scale.min ? ['min', `at least ${scale.min}`] : ['max', `at most ${scale.max}`]
  return `${name} has ${bound} replicas: \`scale.${key}\` of the manifest says so, and ${replicas} were wanted`
}
