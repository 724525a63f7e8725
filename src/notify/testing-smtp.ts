import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer, TLSSocket } from 'node:tls'

/** A mail server for tests: takes what it is told to, over TLS only, from `weir` with the password `swordfish`. */
export interface TestSmtp {
  readonly port: number
  /** To be trusted by whoever sends. */
  readonly certificate: string
  readonly mails: { readonly from: string; readonly to: readonly string[]; readonly text: string; readonly secure: boolean; readonly user: string | null }[]
  /** Words of SMTP that it was told in clear. */
  readonly inClear: string[]
  close(): void
}

export async function startTestSmtp(kind: 'tls' | 'starttls' | 'clear'): Promise<TestSmtp> {
  const pair = certificatePair()
  const mails: TestSmtp['mails'][number][] = []
  const inClear: string[] = []
  const sockets = new Set<Socket>()
  const talk = (socket: Socket, secure: boolean) => {
    sockets.add(socket)
    let user: string | null = null
    let from = ''
    let to: string[] = []
    let data: string | null = null
    let rest = ''
    const say = (line: string) => void socket.write(`${line}\r\n`)
    const hear = (chunk: Buffer) => {
      rest += chunk.toString()
      for (let at = rest.indexOf('\r\n'); at !== -1; at = rest.indexOf('\r\n')) {
        const line = rest.slice(0, at)
        rest = rest.slice(at + 2)
        if (data !== null) {
          if (line === '.') {
            mails.push({ from, to, text: data, secure, user })
            data = null
            say('250 taken')
          } else data += `${line.replace(/^\.\./, '.')}\n`
          continue
        }
        if (!secure) inClear.push(line.split(' ')[0] ?? '')
        const word = line.slice(0, 4).toUpperCase()
        if (word === 'EHLO') say(`250-test\r\n250-AUTH PLAIN\r\n${!secure && kind === 'starttls' ? '250-STARTTLS\r\n' : ''}250 8BITMIME`)
        else if (word === 'STAR') {
          if (kind !== 'starttls') {
            say('502 not here')
            continue
          }
          say('220 go on')
          socket.off('data', hear)
          const upgraded = new TLSSocket(socket, { isServer: true, ...pair })
          upgraded.on('error', () => {})
          talk(upgraded, true)
          return
        } else if (word === 'AUTH') {
          const [, name = '', password] = Buffer.from(line.split(' ')[2] ?? '', 'base64')
            .toString()
            .split('\0')
          user = password === 'swordfish' ? name : null
          say(user === null ? `535 no: ${password}` : '235 welcome')
        } else if (word === 'MAIL') {
          from = /<(.*?)>/.exec(line)?.[1] ?? ''
          to = []
          say('250 ok')
        } else if (word === 'RCPT') {
          to.push(/<(.*?)>/.exec(line)?.[1] ?? '')
          say('250 ok')
        } else if (word === 'DATA') {
          data = ''
          say('354 go on')
        } else if (word === 'QUIT') {
          say('221 bye')
          socket.end()
        } else say('250 ok')
      }
    }
    socket.on('data', hear)
    socket.on('error', () => {})
    if (!(secure && kind === 'starttls')) say('220 test ESMTP')
  }
  const server = kind === 'tls' ? createTlsServer(pair, (socket) => talk(socket, true)) : createServer((socket) => talk(socket, false))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    certificate: pair.cert,
    mails,
    inClear,
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

/** For `localhost`, of two days. */
function certificatePair(): { readonly key: string; readonly cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'weir-smtp-'))
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')]
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  try {
    execFileSync('openssl', ['req', ...kind, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', ...files], { stdio: 'ignore' })
    return { key: readFileSync(join(folder, 'key.pem'), 'utf8'), cert: readFileSync(join(folder, 'cert.pem'), 'utf8') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
