import pc from 'picocolors'

export type Colours = ReturnType<typeof pc.createColors>

/** Where a verb runs: everything it reads from and writes to, so that tests can give it another one. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  /** stdout is a person's terminal. */
  readonly interactive: boolean
  /** stdin is a person's terminal: only then may a question be asked. */
  readonly asks: boolean
  /** null where lines are not cut: a pipe, a file. */
  width(): number | null
  height(): number
  readonly unicode: boolean
  readonly colours: Colours
  out(text: string): void
  /** Bytes as they are: what a command inside a replica prints. */
  write(chunk: Uint8Array, stream: 'stdout' | 'stderr'): void
  err(text: string): void
  readStdin(maxBytes: number): Promise<string>
  /** Asks a person; `hidden` shows nothing of what is typed. Only where `asks`. */
  ask(question: string, hidden: boolean): Promise<string>
  /** stdin as it comes, for a command inside a replica. */
  readonly stdin: NodeJS.ReadStream
  onResize(call: () => void): () => void
  now(): number
  /** Ctrl-C; returns the way to give it back. While nobody listens it ends the program. */
  onInterrupt(call: () => void): () => void
}

/** The real one. A reader that went away (`weir list | head -1`) ends the program without a word. */
export function processTerminal(argv: readonly string[]): Terminal {
  const { env, stdout, stderr, stdin } = process
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      process.exit(0)
    })
  }
  return {
    env,
    cwd: process.cwd(),
    interactive: stdout.isTTY === true && env['TERM'] !== 'dumb',
    asks: stdin.isTTY === true,
    width: () => (stdout.isTTY ? (stdout.columns ?? 80) : null),
    height: () => stdout.rows ?? 24,
    unicode: isUtf8(env),
    colours: pc.createColors(wantsColour(env, argv, stdout.isTTY === true)),
    out: (text) => void stdout.write(text),
    write: (chunk, stream) => void (stream === 'stdout' ? stdout : stderr).write(chunk),
    err: (text) => void stderr.write(text),
    readStdin: (maxBytes) => readAll(stdin, maxBytes),
    ask: (question, hidden) => askPerson(question, hidden, stderr),
    stdin,
    onResize: (call) => {
      stdout.on('resize', call)
      return () => stdout.off('resize', call)
    },
    now: () => Date.now(),
    onInterrupt: (call) => {
      process.on('SIGINT', call)
      return () => process.off('SIGINT', call)
    },
  }
}

/** https://no-color.org: any non-empty NO_COLOR switches colours off; so do a pipe and a terminal that knows none. */
export function wantsColour(env: NodeJS.ProcessEnv, argv: readonly string[], isTerminal: boolean): boolean {
  const options = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
  return isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb' && !options.includes('--no-color')
}

/** POSIX order: LC_ALL, then LC_CTYPE, then LANG. None set: a bare container, where UTF-8 is the safe guess. */
export function isUtf8(env: NodeJS.ProcessEnv): boolean {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG']
  return !locale || /utf-?8/i.test(locale)
}

async function readAll(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream) {
    chunks.push(chunk)
    size += chunk.length
    if (size > maxBytes) break
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function askPerson(question: string, hidden: boolean, output: NodeJS.WriteStream): Promise<string> {
  const { createInterface } = await import('node:readline/promises')
  const { Writable } = await import('node:stream')
  if (hidden) output.write(question)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: hidden ? silent : output, terminal: true })
  const interrupted = new AbortController()
  lines.on('SIGINT', () => interrupted.abort())
  try {
    return await lines.question(hidden ? '' : question, { signal: interrupted.signal })
  } catch (error) {
    if (interrupted.signal.aborted) process.exit(130)
    throw error
  } finally {
    lines.close()
    if (hidden) output.write('\n')
  }
}
