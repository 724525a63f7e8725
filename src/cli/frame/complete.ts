import type { Command, Option } from 'commander'
import { type Known, knownNames } from './known-names.ts'
import { buildProgram } from './program.ts'
import type { Terminal } from './terminal.ts'

/** What may stand where the cursor is: words with a description, names that the server knows, or files. */
export type Expected = { readonly words: readonly (readonly [word: string, about: string])[] } | { readonly names: Known } | 'files' | 'nothing'

/**
 * Answers `weir __complete WORD… CURRENT`: a candidate a line, `word<tab>description`, or `:files`.
 * Never fails and never asks: whatever goes wrong, nothing is offered.
 */
export async function complete(terminal: Terminal, typed: readonly string[]): Promise<number> {
  const current = typed.at(-1) ?? ''
  const before = typed.slice(0, -1)
  const program = buildProgram(terminal, async () => {})
  const expected = expectedAt(program, before, current)
  if (expected === 'files') terminal.out(':files\n')
  else if (expected !== 'nothing') {
    const candidates = 'words' in expected ? expected.words : (await knownNames(terminal, expected.names, flagsIn(before))).map((name) => [name, ''] as const)
    const fitting = candidates.filter(([word]) => word.startsWith(current))
    if (fitting.length > 0) terminal.out(`${fitting.map(([word, about]) => `${word}\t${about}`).join('\n')}\n`)
  }
  return 0
}

export function expectedAt(program: Command, before: readonly string[], current: string): Expected {
  if (before.includes('--')) return 'files'
  const { command, positional, open } = walk(program, before)
  if (open) return expectedFor(open.flags.match(/[<[]([^>\]]+)[>\]]/)?.[1] ?? '')
  if (current.startsWith('-'))
    return { words: optionsOf(program, command).flatMap((option) => (option.long ? [[option.long, option.description] as const] : [])) }
  const children = command.commands.filter((child) => !isHidden(child))
  if (children.length > 0 && positional === 0) return { words: children.map((child) => [child.name(), child.description()] as const) }
  const args = command.registeredArguments
  const argument = args[Math.min(positional, args.length - 1)]
  if (!argument || (positional >= args.length && !argument.variadic)) return 'nothing'
  return expectedFor(argument.name())
}

/** The names of arguments and option values say what they stand for; see verbs.ts. */
function expectedFor(name: string): Expected {
  if (name === 'format') return { words: ['table', 'wide', 'json', 'yaml'].map((it) => [it, ''] as const) }
  if (name === 'what') return { words: ['service', 'release', 'route'].map((it) => [it, ''] as const) }
  if (name.startsWith('objective')) {
    const words = ['latency_p50', 'latency_p95', 'latency_p99', 'availability', 'throughput']
    return { words: words.map((it) => [name === 'objective' ? it : `${it}=`, ''] as const) }
  }
  if (name === 'level') return { words: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map((it) => [it, ''] as const) }
  if (name === 'shell') return { words: ['bash', 'zsh', 'fish'].map((it) => [it, ''] as const) }
  if (name === 'open|closed') return { words: ['open', 'closed'].map((it) => [it, ''] as const) }
  if (name === 'service=count') return { names: 'service=' }
  if (name.endsWith('app')) return { names: 'app' }
  if (name.endsWith('environment')) return { names: 'environment' }
  if (name.endsWith('service')) return { names: 'service' }
  if (name.endsWith('release')) return { names: 'release' }
  return /file|dir|folder/.test(name) ? 'files' : 'nothing'
}

interface Place {
  readonly command: Command
  /** Arguments of `command` that are complete. */
  readonly positional: number
  /** An option that still waits for its value. */
  readonly open: Option | null
}

function walk(program: Command, before: readonly string[]): Place {
  let command = program
  let positional = 0
  let open: Option | null = null
  for (const word of before) {
    if (open) open = null
    else if (word.startsWith('-'))
      open = word.includes('=')
        ? null
        : (optionsOf(program, command).find((option) => (option.short === word || option.long === word) && (option.required || option.optional)) ?? null)
    else {
      const child = positional === 0 ? command.commands.find((it) => it.name() === word || it.aliases().includes(word)) : undefined
      if (child) command = child
      else positional += 1
    }
  }
  return { command, positional, open }
}

function flagsIn(before: readonly string[]): { readonly app: string | undefined; readonly environment: string | undefined } {
  const valueOf = (...flags: readonly string[]) => {
    const at = before.findLastIndex((word) => flags.includes(word))
    return at === -1 ? undefined : before[at + 1]
  }
  return { app: valueOf('-a', '--app'), environment: valueOf('-e', '--env') }
}

function optionsOf(program: Command, command: Command): readonly Option[] {
  return command === program ? program.options : [...command.options, ...program.options]
}

function isHidden(command: Command): boolean {
  return (command as Command & { _hidden?: boolean })._hidden === true
}
