import type { Client } from '../../../packages/client/src/client.ts'
import { type Format, formatOf, printData } from '../output/data.ts'
import { escapeControl } from '../output/escape.ts'
import { connectClient, type Server, serverOf } from './connect.ts'
import { type AppContext, appContext } from './context.ts'
import type { Terminal } from './terminal.ts'
import { usage } from './usage.ts'

export type Options = Readonly<Record<string, unknown>>

/** A verb: gets a session, answers the exit code (nothing: 0). */
export type Run = (session: Session) => Promise<number | undefined>

/** One call of `weir`: what was typed, where, and the way to the server. */
export class Session {
  readonly terminal: Terminal
  readonly args: readonly string[]
  readonly options: Options
  readonly format: Format
  #client: Client | null = null

  constructor(terminal: Terminal, args: readonly string[], options: Options) {
    this.terminal = terminal
    this.args = args
    this.options = options
    this.format = formatOf(options)
  }

  get server(): Server {
    return serverOf(this.terminal.env)
  }

  /** The API client; connects when first used. */
  async client(): Promise<Client> {
    this.#client ??= await connectClient(this.server)
    return this.#client
  }

  close(): void {
    this.#client?.close()
  }

  /** The app and environment that are meant; the first argument counts where `named` says so. */
  async app(named: 'argument' | 'flag' = 'flag'): Promise<AppContext> {
    return appContext({
      terminal: this.terminal,
      app: (named === 'argument' ? this.args[0] : undefined) ?? this.text('app'),
      environment: this.text('env'),
      client: () => this.client(),
    })
  }

  text(option: string): string | undefined {
    const value = this.options[option]
    return typeof value === 'string' ? value : undefined
  }

  flag(option: string): boolean {
    return this.options[option] === true
  }

  /** A positive whole number, or undefined when it was not given. */
  count(option: string): number | undefined {
    const text = this.text(option)
    if (text === undefined) return undefined
    if (!/^[1-9]\d{0,6}$/.test(text)) throw usage(`--${option} must be a positive whole number`, `"${escapeControl(text)}" is none`)
    return Number(text)
  }

  get quiet(): boolean {
    return this.flag('quiet')
  }

  /** A line for people; none where machines read. */
  say(line = ''): void {
    if (this.format === 'table' || this.format === 'wide') this.terminal.out(`${line}\n`)
  }

  /** What is not part of the result: hints, what happens next. */
  note(line: string): void {
    if (!this.quiet && (this.format === 'table' || this.format === 'wide')) this.terminal.err(`${line}\n`)
  }

  /** The result: as `lines` for people, as `data` for machines. */
  async print(data: unknown, lines: () => readonly string[]): Promise<void> {
    await printData(this.terminal, this.format, data, lines)
  }
}
