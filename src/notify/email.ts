import type { Message } from '../core/notify/message.ts'
import type { Reach } from '../reach.ts'
import { resolveInReach } from './resolve.ts'
import { failed, type Parcel, type Sent } from './sent.ts'
import type { Address } from './target.ts'

const WITHIN_MS = 20_000
const STEP_MS = 10_000

type Mailbox = Extract<Address, { kind: 'email' }>

/** One message by SMTP, over TLS from the start or from STARTTLS on; a server that offers neither gets neither password nor message. */
export async function mail({ id, message }: Pick<Parcel, 'id' | 'message'>, to: Mailbox, reach: Reach, signal: AbortSignal): Promise<Sent> {
  const found = await resolveInReach(to.host, reach)
  if ('problem' in found) return failed(found.problem)
  // Most installations never send any: it is loaded by those that do.
  const { createTransport } = await import('nodemailer')
  const transport = createTransport({
    host: found.ip,
    port: to.port,
    secure: to.security === 'tls',
    requireTLS: true,
    tls: { servername: to.host },
    connectionTimeout: STEP_MS,
    greetingTimeout: STEP_MS,
    socketTimeout: STEP_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(to.login === null ? {} : { auth: { user: to.login.user, pass: to.login.password } }),
  })
  const over = AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)])
  const late = new Promise<Sent>((resolve) => {
    over.addEventListener('abort', () => resolve(failed(`not taken within ${WITHIN_MS / 1000} s`)), { once: true })
  })
  const sending = transport
    .sendMail({
      from: to.from,
      to: [...to.to],
      subject: message.title,
      text: bodyOf(message),
      // The same at every try: mail programs show one message once.
      messageId: `<${id}@${domainOf(to.from)}>`,
      headers: { 'auto-submitted': 'auto-generated' },
    })
    .then(
      ({ rejected }): Sent => (rejected.length === 0 ? { outcome: 'delivered' } : failed(`${rejected.length} of ${to.to.length} recipients were refused`)),
      (error: unknown): Sent => failed(causeOf(error)),
    )
  try {
    return await Promise.race([sending, late])
  } finally {
    transport.close()
  }
}

function bodyOf({ text, because, next, at, topic, release }: Message): string {
  const lines = [text, ...(because !== null && !text.includes(because.text) ? [because.text] : []), '', `next     ${next}`, `at       ${at}`]
  return [...lines, ...(release === null ? [] : [`release  v${release}`]), `about    ${topic}`, ''].join('\n')
}

function domainOf(from: string): string {
  return /@([^\s<>@]+)>?$/.exec(from)?.[1] ?? 'weir'
}

/** What happened at which word of SMTP; never what the server wrote, which may repeat what it was told. */
function causeOf(error: unknown): string {
  const { code, responseCode, command } = error as { code?: unknown; responseCode?: unknown; command?: unknown }
  const at = typeof command === 'string' && /^[A-Z]+( [A-Z]+)?$/.test(command) ? ` at ${command}` : ''
  if (code === 'EAUTH') return `the mail server refused the login${typeof responseCode === 'number' ? ` (${responseCode})` : ''}`
  if (code === 'ETLS' || (error instanceof Error && error.message.includes('certificate'))) return 'the mail server offers no TLS that can be trusted'
  if (typeof responseCode === 'number') return `the mail server answered ${responseCode}${at}`
  return `the mail server was not reached${typeof code === 'string' ? `: ${code}` : ''}${at}`
}
