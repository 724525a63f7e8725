import { readFileSync, statSync } from 'node:fs'

/** Places that telemetry is sent on to, as the file names them. */
export type Destination = (typeof DESTINATIONS)[number]

export type Headers = Readonly<Record<string, string>>

export interface KafkaCredentials {
  readonly sasl: { readonly mechanism: (typeof MECHANISMS)[number]; readonly username: string; readonly password: string } | null
  /** null: no TLS. `ca`: certificates in PEM, beside those that Node trusts if it is null. */
  readonly tls: { readonly ca: string | null } | null
}

interface Credentials {
  readonly headers: ReadonlyMap<Destination, Headers>
  readonly kafka: KafkaCredentials
}

const DESTINATIONS = ['forward-zipkin', 'forward-otlp', 'log-export'] as const
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
const NO_KAFKA: KafkaCredentials = { sasl: null, tls: null }
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const HEADER_VALUE = /^[\t\x20-\x7e]+$/

/**
 * What other places want to see before they take or give telemetry: a file that its owner alone may read, so that it stands in no variable,
 * command line or record. Read again when it was changed. What is wrong with it is told without what stands in it.
 *
 *   {
 *     "forward-otlp": { "headers": { "authorization": "Bearer …" } },
 *     "log-export": { "user": "weir", "password": "…" },
 *     "kafka": { "mechanism": "SCRAM-SHA-512", "user": "weir", "password": "…", "tls": { "ca": "/etc/ssl/broker.pem" } }
 *   }
 *
 * @example new CredentialsFile('/var/lib/weir/telemetry.credentials').headersOf('forward-otlp') // { authorization: 'Bearer …' }
 */
export class CredentialsFile {
  readonly #path: string
  #read: { readonly version: string; readonly credentials: Credentials } | null = null

  constructor(path: string) {
    this.#path = path
  }

  headersOf(destination: Destination): Headers {
    return this.#credentials()?.headers.get(destination) ?? {}
  }

  kafka(): KafkaCredentials {
    return this.#credentials()?.kafka ?? NO_KAFKA
  }

  /** null: there is no such file. */
  #credentials(): Credentials | null {
    const file = statSync(this.#path, { throwIfNoEntry: false })
    if (file === undefined) return null
    if ((file.mode & 0o077) !== 0) throw this.#wrong('can be read by others (chmod 600)')
    const version = `${file.ino} ${file.mtimeMs} ${file.size}`
    if (this.#read?.version !== version) this.#read = { version, credentials: this.#parse() }
    return this.#read.credentials
  }

  #parse(): Credentials {
    let text: string
    try {
      text = readFileSync(this.#path, 'utf8')
    } catch (error) {
      throw this.#wrong(`cannot be read: ${(error as NodeJS.ErrnoException).code}; it is handed over when the server starts`)
    }
    try {
      return credentialsOf(jsonOf(text))
    } catch (error) {
      throw error instanceof Malformed ? this.#wrong(error.message) : error
    }
  }

  #wrong(what: string): Error {
    return new Error(`${this.#path} ${what}`)
  }
}

/** What others answer may repeat what it was asked with. */
export function withoutSecrets(text: string, headers: Headers): string {
  const words = Object.values(headers).flatMap((value) => value.split(/\s+/))
  return words.filter((word) => word.length > 3).reduce((shown, word) => shown.replaceAll(word, '…'), text)
}

class Malformed extends Error {}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Malformed('is no JSON') // the parser's own words show a part of it
  }
}

function credentialsOf(value: unknown): Credentials {
  const all = fieldsOf(value, '', [...DESTINATIONS, 'kafka'])
  const given = DESTINATIONS.filter((it) => all[it] !== undefined)
  return {
    headers: new Map(given.map((it) => [it, headersIn(all[it], it)])),
    kafka: all['kafka'] === undefined ? NO_KAFKA : kafkaIn(all['kafka']),
  }
}

function headersIn(value: unknown, where: string): Headers {
  const { headers = {}, user, password } = fieldsOf(value, where, ['headers', 'user', 'password'])
  const named: [string, string][] = Object.entries(fieldsOf(headers, `${where}.headers`, null)).map(([name, it]) => [name, textOf(it, `${where}.headers`)])
  if (!named.every(([name, it]) => HEADER_NAME.test(name) && HEADER_VALUE.test(it))) throw new Malformed(`has something in ${where}.headers that is no header`)
  if (user === undefined && password === undefined) return Object.fromEntries(named)
  const basic = Buffer.from(`${textOf(user, `${where}.user`)}:${textOf(password, `${where}.password`)}`).toString('base64')
  return Object.fromEntries([...named, ['authorization', `Basic ${basic}`]])
}

function kafkaIn(value: unknown): KafkaCredentials {
  const { mechanism, user, password, tls } = fieldsOf(value, 'kafka', ['mechanism', 'user', 'password', 'tls'])
  const known = MECHANISMS.find((it) => it === mechanism)
  if (mechanism !== undefined && known === undefined) throw new Malformed(`has a kafka.mechanism that is none of ${MECHANISMS.join(', ')}`)
  if (known === undefined && (user !== undefined || password !== undefined)) throw new Malformed('has no kafka.mechanism')
  return {
    sasl: known ? { mechanism: known, username: textOf(user, 'kafka.user'), password: textOf(password, 'kafka.password') } : null,
    tls: tls === undefined ? null : { ca: certificatesIn(tls) },
  }
}

function certificatesIn(value: unknown): string | null {
  const { ca } = fieldsOf(value, 'kafka.tls', ['ca'])
  if (ca === undefined) return null
  const path = textOf(ca, 'kafka.tls.ca')
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Malformed(`names certificates that cannot be read: ${path}: ${(error as NodeJS.ErrnoException).code}`)
  }
}

/** `names`: all that there may be; null: any. */
function fieldsOf(value: unknown, where: string, names: readonly string[] | null): Readonly<Record<string, unknown>> {
  const place = where === '' ? 'at its top' : `in ${where}`
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Malformed(`has no object ${place}`)
  if (names !== null && !Object.keys(value).every((name) => names.includes(name))) throw new Malformed(`has something ${place} beside ${names.join(', ')}`)
  return value as Readonly<Record<string, unknown>>
}

function textOf(value: unknown, where: string): string {
  if (typeof value !== 'string' || value === '') throw new Malformed(`has no text in ${where}`)
  return value
}
