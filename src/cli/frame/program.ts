import { Command, CommanderError } from 'commander'
import { nearest } from '../../core/manifest/nearest.ts'
import { WeirError } from '../../errors.ts'
import { escapeControl } from '../output/escape.ts'
import { type Failure, failureLines, failureObject, failureOf } from '../output/failure.ts'
import { withNearest } from './nearest-name.ts'
import { Session } from './session.ts'
import type { Terminal } from './terminal.ts'
import { usage } from './usage.ts'
import { GLOBAL_OPTIONS, type Group, NOT_YET, VERBS, type Verb } from './verbs.ts'

/**
 * Runs one command line and answers its exit code.
 *
 * @example process.exitCode = await runProgram(processTerminal(argv), ['list'])
 */
export async function runProgram(terminal: Terminal, argv: readonly string[]): Promise<number> {
  if (argv[0] === '__complete') return (await import('./complete.ts')).complete(terminal, argv.slice(1))
  let exit = 0
  const program = buildProgram(terminal, async (verb, session) => {
    const run = await verb.load()
    try {
      exit = (await run(session)) ?? 0
    } catch (error) {
      throw await withNearest(session, error)
    } finally {
      session.close()
    }
  })
  try {
    if (argv.length === 0) program.outputHelp()
    else await program.parseAsync([...argv], { from: 'user' })
    return exit
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0 // help was asked for
    const failure = failureOf(error instanceof CommanderError ? usageFailure(error, argv) : error)
    printFailure(terminal, failure, argv)
    return failure.exit
  }
}

/** The tree of commands; also what completion walks. */
export function buildProgram(terminal: Terminal, call: (verb: Verb, session: Session) => Promise<void>): Command {
  const program = base(new Command('weir'), terminal)
    .description('Push a change; it goes live safely, at the size it needs, without you watching.')
    .usage('<command> [options]')
    .helpCommand('help [command]', 'how a command is used')
  for (const [flags, about] of GLOBAL_OPTIONS) program.option(flags, about)
  const parents = new Map<string, Command>()
  for (const verb of VERBS) addVerb(program, parents, terminal, verb, call)
  program.addHelpText(
    'after',
    '\nFirst steps:\n  weir up            start on this machine and deploy the current folder\n  weir deploy        release a change\n  weir rollback      and back',
  )
  return program
}

function addVerb(program: Command, parents: Map<string, Command>, terminal: Terminal, verb: Verb, call: (verb: Verb, session: Session) => Promise<void>): void {
  const words = verb.path.split(' ')
  const name = words.at(-1) ?? verb.path
  const parent = words.length === 1 ? program : parentOf(program, parents, terminal, words[0] ?? '', verb.group)
  const command = base(new Command(name), terminal).description(verb.about)
  if (verb.args !== undefined) command.arguments(verb.args)
  for (const alias of verb.aliases ?? []) command.alias(alias)
  for (const [flags, about] of verb.options ?? []) command.option(flags, about)
  command.helpGroup(`${verb.group}:`)
  command.action(async () => call(verb, new Session(terminal, command.args, command.optsWithGlobals())))
  parent.addCommand(command, { hidden: verb.hidden === true, isDefault: verb.isDefault === true })
}

const PARENTS: Readonly<Record<string, string>> = {
  canary: 'steer the rollout that is running',
  releases: 'history, one release, what differs',
  env: 'variables of an environment',
  secrets: 'secrets of an environment',
  credentials: 'how to read private repositories',
  account: 'accounts',
  jobs: 'scheduled jobs',
  follow: 'followed branches',
  notify: 'who outside is told of what happens',
  token: 'tokens',
}

function parentOf(program: Command, parents: Map<string, Command>, terminal: Terminal, name: string, group: Group): Command {
  const known = parents.get(name)
  if (known) return known
  const parent = base(new Command(name), terminal)
    .description(PARENTS[name] ?? name)
    .helpGroup(`${group}:`)
    .usage('<command> [options]')
  if (name === 'canary') parent.alias('rollout')
  parents.set(name, parent)
  program.addCommand(parent)
  return parent
}

function base(command: Command, terminal: Terminal): Command {
  return command
    .exitOverride()
    .showSuggestionAfterError(true)
    .helpCommand(false)
    .helpOption('-h, --help', 'how it is used')
    .configureHelp({ showGlobalOptions: true, subcommandTerm: (child) => child.name() })
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: () => {}, // the failure is printed once, in five parts
      getOutHelpWidth: () => terminal.width() ?? 100,
      getErrHelpWidth: () => terminal.width() ?? 100,
    })
}

/** commander's own words, in five parts, with the nearest thing that exists. */
function usageFailure(error: CommanderError, argv: readonly string[]): WeirError {
  const typed = argv.filter((word) => !word.startsWith('-'))
  const later = NOT_YET[typed[0] ?? ''] ?? NOT_YET[typed.slice(0, 2).join(' ')] ?? NOT_YET[/unknown option '(--[a-z]+)/.exec(error.message)?.[1] ?? '']
  if (later !== undefined)
    return new WeirError('E_UNSUPPORTED', { message: `not yet supported: ${later}`, cause: 'it belongs to a later version', next: 'weir --help' })
  const isUnknown = error.code === 'commander.unknownCommand' || (error.code === 'commander.excessArguments' && isUnknownChild(typed))
  if (isUnknown) return unknownCommand(typed)
  const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n')
  const meant = suggestion?.match(/Did you mean (.*)\?/)?.[1]
  return usage(escapeControl(message), undefined, meant === undefined ? `weir ${words(argv)}--help` : `did you mean ${escapeControl(meant)}?`)
}

/** `canary wieght 3`: the default child would take the word as one argument too many. */
function isUnknownChild([parent = '', child = '']: readonly string[]): boolean {
  const children = VERBS.filter((verb) => verb.path.startsWith(`${parent} `)).map((verb) => verb.path.split(' ')[1])
  return children.length > 0 && !children.includes(child)
}

function words(argv: readonly string[]): string {
  const verb =
    VERBS.find((it) => it.path === `${argv[0]} ${argv[1]}`) ?? VERBS.find((it) => it.path.split(' ')[0] === argv[0] || it.aliases?.includes(argv[0] ?? ''))
  if (!verb) return ''
  return verb.path === `${argv[0]} ${argv[1]}` ? `${verb.path} ` : `${argv[0]} `
}

function unknownCommand(typed: readonly string[]): WeirError {
  const inside = VERBS.filter((verb) => verb.path.startsWith(`${typed[0]} `))
  const parent = inside.length > 0 ? `${typed[0]} ` : ''
  const word = (inside.length > 0 ? typed[1] : typed[0]) ?? ''
  const known =
    inside.length > 0
      ? inside.map((verb) => verb.path.slice(parent.length))
      : VERBS.filter((verb) => !verb.hidden).flatMap((verb) => [verb.path.split(' ')[0] ?? '', ...(verb.aliases ?? [])])
  const meant = nearest(word, known)
  return usage(`unknown command "${parent}${escapeControl(word)}"`, undefined, meant === null ? `weir ${parent}--help` : `did you mean weir ${parent}${meant}?`)
}

function printFailure(terminal: Terminal, failure: Failure, argv: readonly string[]): void {
  const options = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
  if (options.includes('--json')) {
    terminal.out(`${JSON.stringify(failureObject(failure))}\n`)
    return
  }
  terminal.err(`${failureLines(failure.explanation, terminal.colours, terminal.unicode ? '✗' : 'x').join('\n')}\n`)
  if (options.includes('--verbose')) {
    const details = [`code ${failure.code}`, failure.requestId === null ? '' : `request ${failure.requestId}`, failure.stack ?? '']
    terminal.err(`${escapeLines(details.filter(Boolean).join('\n'))}\n`)
  }
}

function escapeLines(text: string): string {
  return text.split('\n').map(escapeControl).join('\n')
}
