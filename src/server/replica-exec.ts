import type { Exec as ApiExec, ExecProcess } from '../api/ports.ts'
import type { Exec, ExecSession } from '../drivers/exec.ts'
import { WeirError } from '../errors.ts'

/** The driver's sessions in the shape that the API streams. Terminals need a pseudo-terminal, which nothing here makes. */
export class ReplicaExec implements ApiExec {
  readonly #driver: Exec

  constructor(driver: Exec) {
    this.#driver = driver
  }

  async open(_environment: string, { replica, argv, tty }: Parameters<ApiExec['open']>[1]): Promise<ExecProcess> {
    if (tty) throw new WeirError('E_UNSUPPORTED', { message: 'exec has no terminal yet', next: 'weir exec SERVICE -- COMMAND, without --tty' })
    const session = await this.#driver.open(replica, argv)
    let listener: Parameters<ExecProcess['onOutput']>[0] | null = null
    const heard = Promise.withResolvers<void>()
    const pumped = heard.promise.then(() => pump(session, (stream, bytes) => listener?.(stream, bytes)))
    return {
      onOutput: (listen) => {
        listener = listen
        heard.resolve()
      },
      write: (chunk) => void session.write(chunk),
      end: () => session.endInput(),
      resize: () => {},
      exit: pumped.then(() => session.exit),
      kill: () => session.close(),
    }
  }
}

async function pump(session: ExecSession, out: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void | Promise<void>): Promise<void> {
  for await (const { stream, bytes } of session.output) await out(stream === 'out' ? 'stdout' : 'stderr', bytes)
}
