import type { Options } from '../frame/session.ts'
import type { Terminal } from '../frame/terminal.ts'
import { usage } from '../frame/usage.ts'

/** `jsonl`: `--json`, one event a line and then one result. */
export type Format = 'table' | 'wide' | 'json' | 'yaml' | 'jsonl'

const FORMATS: readonly string[] = ['table', 'wide', 'json', 'yaml'] satisfies Format[]

export function formatOf(options: Options): Format {
  const output = options['output']
  if (output !== undefined && !FORMATS.includes(String(output))) throw usage(`-o ${String(output)} is not a format`, undefined, 'table, wide, json or yaml')
  if (options['json'] === true) return 'jsonl'
  return (output as Format | undefined) ?? 'table'
}

export async function printData(terminal: Terminal, format: Format, data: unknown, lines: () => readonly string[]): Promise<void> {
  switch (format) {
    case 'jsonl':
      terminal.out(`${JSON.stringify(data)}\n`)
      return
    case 'json':
      terminal.out(`${JSON.stringify(data, null, 2)}\n`)
      return
    case 'yaml': {
      const { stringify } = await import('yaml')
      terminal.out(stringify(data, { lineWidth: 0 }))
      return
    }
    case 'table':
    case 'wide': {
      const text = lines()
      if (text.length > 0) terminal.out(`${text.join('\n')}\n`)
    }
  }
}
