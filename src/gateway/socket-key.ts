import type { Listener } from '../core/model/routing.ts'

/** Names the socket on which a listener takes connections; routes share one. */
export type SocketKey = string
export const PUBLIC_SOCKET: SocketKey = 'public'

export function socketOf(listener: Listener): SocketKey {
  switch (listener.kind) {
    case 'route':
      return PUBLIC_SOCKET
    case 'port':
      return `port:${listener.listen}`
    case 'edge':
      return `${listener.address}:${listener.listen}`
  }
}
