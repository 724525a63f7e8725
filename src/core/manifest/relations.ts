import type { Service } from '../model/app-graph.ts'
import type { Check } from './check.ts'
import { nearest } from './nearest.ts'
import type { ManifestDocument } from './schema.ts'

/** Each cycle of `depends_on` once, named in full, at the dependency that closes it. */
export function cyclesIn(services: readonly Service[], check: Check): void {
  const edges = new Map(services.map((service) => [service.name, Object.keys(service.dependsOn)]))
  const done = new Set<string>()
  for (const start of edges.keys()) {
    // Depth first without recursion: a chain of many services must not overflow the stack.
    const trail: { name: string; next: number }[] = done.has(start) ? [] : [{ name: start, next: 0 }]
    while (trail.length > 0) {
      const top = trail.at(-1)!
      const target = edges.get(top.name)?.[top.next]
      top.next += 1
      if (target === undefined) {
        done.add(top.name)
        trail.pop()
        continue
      }
      const from = trail.findIndex((step) => step.name === target)
      if (from >= 0 && target !== top.name) {
        const cycle = [...trail.slice(from).map((step) => step.name), target]
        check.problem(
          ['services', top.name, 'depends_on', target],
          `\`depends_on\` runs in a circle: ${cycle.join(' → ')}`,
          'take one of these out; `${services.NAME.url}` lets a service call another without waiting for it',
        )
      } else if (from < 0 && !done.has(target) && edges.has(target)) trail.push({ name: target, next: 0 })
    }
  }
}

/** A host and path can lead to one place only. */
export function duplicateRoutes(services: readonly Service[], check: Check): void {
  const seen = new Map<string, string>()
  for (const service of services) {
    for (const [index, route] of service.routes.entries()) {
      if (check.broken(['services', service.name, 'routes', index])) continue
      const key = `${route.host ?? '*'}${route.path}`
      const other = seen.get(key)
      const shown = `${route.host ?? 'any host'}, ${route.path}`
      if (other !== undefined)
        check.problem(['services', service.name, 'routes', index], `the route ${shown} leads to \`${other}\` already`, 'give one of them another host or path')
      else seen.set(key, service.name)
    }
  }
}

/** `from` leads from overlay to overlay and must come to an end. */
export function environmentsOf(document: ManifestDocument, check: Check): void {
  const environments = document.environments ?? {}
  const names = Object.keys(environments)
  for (const [name, environment] of Object.entries(environments)) {
    if (environment.approve !== undefined) check.unsupported(['environments', name, 'approve'], '`approve`, people who must agree to a release', 'leave it out')
    const trail = [name]
    for (let from = environment.from; from !== undefined; from = environments[from]?.from) {
      const at = ['environments', trail.at(-1)!, 'from']
      if (!names.includes(from)) {
        const near = nearest(from, names)
        if (trail.length === 1 && !check.broken(['environments', from]))
          check.problem(at, `no environment \`${from}\``, near ? `did you mean \`${near}\`?` : `there are: ${names.join(', ')}`)
        break
      }
      if (trail.includes(from)) {
        if (from === name && name === [...trail].sort()[0])
          check.problem(at, `\`from\` runs in a circle: ${[...trail, from].join(' → ')}`, 'take one of these out')
        break
      }
      trail.push(from)
    }
  }
}
