import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'

/** As much of Redis as a client needs to believe in it: commands, and answers that RESP 2 and 3 have in common, answered by their name. */
export async function startRedisServer(): Promise<{ readonly port: number; stop(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let text = ''
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      for (let command = next(); command !== null; command = next()) socket.write(answer(command))
    })
    function next(): string[] | null {
      const [head, count] = /^\*(\d+)\r\n/.exec(text) ?? []
      if (head === undefined) return null
      const words: string[] = []
      let at = head.length
      for (let word = 0; word < Number(count); word++) {
        const [length, size] = /^\$(\d+)\r\n/.exec(text.slice(at)) ?? []
        if (length === undefined || text.length < at + length.length + Number(size) + 2) return null
        words.push(text.slice(at + length.length, at + length.length + Number(size)))
        at += length.length + Number(size) + 2
      }
      text = text.slice(at)
      return words
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

function answer([name = '']: readonly string[]): string {
  const command = name.toUpperCase()
  if (command === 'GET') return '$5\r\nvalue\r\n'
  if (command === 'LPOP') return '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'
  if (command === 'HELLO') return '%1\r\n$5\r\nproto\r\n:3\r\n'
  if (command === 'EXEC') return '*2\r\n+OK\r\n$5\r\nvalue\r\n'
  if (command === 'INFO') return '$13\r\nredis_version\r\n'
  return '+OK\r\n'
}
