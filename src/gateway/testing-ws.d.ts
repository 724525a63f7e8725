/** As much of `ws` as the tests use. */
declare module 'ws' {
  import type { EventEmitter } from 'node:events'
  import type { IncomingMessage, Server } from 'node:http'

  export class WebSocket extends EventEmitter {
    constructor(url: string, options?: { headers?: Readonly<Record<string, string>> })
    send(data: string | Buffer, options?: { binary?: boolean }): void
    close(code?: number): void
    terminate(): void
    once(event: 'message' | 'open' | 'error' | 'close', listener: (...args: never[]) => void): this
  }
  export class WebSocketServer extends EventEmitter {
    readonly clients: ReadonlySet<WebSocket>
    constructor(options: { server: Server })
    on(event: 'connection', listener: (socket: WebSocket, request: IncomingMessage) => void): this
  }
}
