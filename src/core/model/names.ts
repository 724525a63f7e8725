/** Names of tenants, apps, environments, services, resources, jobs and ports: safe in paths, host names, cgroups and argv alike. */
const NAME = /^[a-z]([-a-z0-9]*[a-z0-9])?$/
const MAX_LENGTH = 40

/** Names that mean something to Kubernetes, to DNS or to Weir itself; an app called so would shadow them. */
const RESERVED = new Set(['localhost', 'weir', 'default-backend', 'constructor', 'prototype'])

/**
 * Why `name` cannot be used, or `null` when it can.
 *
 * @example nameProblem('shop') // null
 * @example nameProblem('a;rm -rf') // "must be lower-case letters, digits and '-', starting with a letter"
 */
export function nameProblem(name: string): string | null {
  if (name.length === 0) return 'must not be empty'
  if (name.length > MAX_LENGTH) return `must have at most ${MAX_LENGTH} characters (has ${name.length})`
  if (!NAME.test(name)) return "must be lower-case letters, digits and '-', starting with a letter and not ending with '-'"
  if (RESERVED.has(name) || name.startsWith('kube-')) return 'is a reserved name'
  return null
}
