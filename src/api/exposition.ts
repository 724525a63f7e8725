export type Labels = Readonly<Record<string, string>>

/** One metric with all its values. */
export interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly samples: readonly (readonly [Labels, number])[]
}

/**
 * Metrics in Prometheus' text format 0.0.4. A family without values is left out: absent is not zero.
 *
 * @example exposition([{ name: 'up', type: 'gauge', help: 'It is there.', samples: [[{ app: 'shop' }, 1]] }]) // '# HELP up …\n# TYPE up gauge\nup{app="shop"} 1\n'
 */
export function exposition(families: readonly Family[]): string {
  return families
    .filter((it) => it.samples.length > 0)
    .map(
      ({ name, type, help, samples }) =>
        `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.map((it) => `${name}${labelText(it[0])} ${it[1]}\n`).join('')}`,
    )
    .join('')
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (it) => (it === '\n' ? '\\n' : `\\${it}`))}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}
