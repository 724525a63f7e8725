/** One error as its language printed it. */
export interface StackTrace {
  /** As thrown first; then what it was caused by, the root last. */
  readonly links: readonly [TraceLink, ...TraceLink[]]
}

export interface TraceLink {
  /** '': the text does not say. */
  readonly type: string
  readonly message: string
  /** Innermost first. */
  readonly frames: readonly Frame[]
}

export interface Frame {
  readonly name: string
  /** Without its folders: those differ from one machine, and one release, to the next. '': not said. */
  readonly file: string
  /** Not of the language, its library or a dependency. */
  readonly inApp: boolean
}

const MOST_FRAMES = 200
const MOST_LINES = 500
const MOST_OF_LINE = 400

/**
 * Reads a stack trace of Node, Python, Java, .NET or Go; null: the text has no frames.
 *
 * @example readStackTrace('TypeError: x is undefined\n    at cart (/srv/app/cart.js:4:2)')?.links[0].frames[0] // { name: 'cart', file: 'cart.js', inApp: true }
 */
export function readStackTrace(text: string): StackTrace | null {
  const lines = text.split(/\r?\n/, MOST_LINES).map((line) => line.slice(0, MOST_OF_LINE))
  const links = text.includes('File "') && isPython(lines) ? pythonLinks(lines) : isGo(text, lines) ? goLinks(lines) : atLinks(lines)
  const [first, ...rest] = links.filter((it) => it.frames.length > 0 || it.type !== '')
  return first && links.some((it) => it.frames.length > 0) ? { links: [first, ...rest] } : null
}

/** A line that can only be a frame, by which a trace is found in what a program prints. */
export function isFrame(text: string): boolean {
  const line = text.slice(0, MOST_OF_LINE)
  return AT.test(line) || PYTHON_FRAME.test(line) || GO_PLACE.test(line)
}

/** The line that names type and message of an error, wherever in it they stand; null: it does not. */
export function readHeader(line: string): { readonly type: string; readonly message: string } | null {
  const short = line.slice(0, MOST_OF_LINE)
  const match = NAMED.exec(short) ?? PLAIN.exec(short)
  if (!match) return null
  const { type = '', code, message = '' } = match.groups as { type?: string; code?: string; message?: string }
  return { type: code === undefined ? type : `${type} ${code}`, message }
}

/** A name that ends as errors' do, behind whatever a logger or the runtime puts in front of it. */
const NAMED = /(?:^|[\s:([])(?<type>(?:[\w$]+\.)*[\w$]*(?:Error|Exception|Fault|Panic|Interrupt|Exit))(?: \[(?<code>\w+)\])?(?::\s*(?<message>.*))?$/
/** Any other name that the line begins with: errors of one's own, and PostgreSQL's `error`. */
const PLAIN = /^(?<type>(?:[\w$]+[.:])*(?:[A-Z][\w$]*|error))(?: \[(?<code>\w+)\])?(?::\s+(?<message>.*)|)$/

// Node, Java, .NET: "at" and a place

const AT = /^\s+at \S/
const CAUSED = /^(?:Caused by: |\s*\[cause\]: | ---> )(.*)$/
/** What stands below belongs to errors that were not the reason. */
const ASIDE = /^\s+(?:Suppressed: |\[errors\]: )/
const DOTNET = /^(?<name>[^()]+)\([^)]*\)(?: in (?<file>.+?):line \d+)?$/
/** Behind module and class loader, as in `java.base/java.lang.Thread.run(Thread.java:840)`. */
const JAVA = /^(?:[^\s(]*\/)?(?<name>[\w$.<>]+)\((?<file>[^():]*)(?::\d+)?\)$/
const NODE = /^(?:(?<name>.*) \((?<place>.*)\)|(?<bare>\S.*))$/

function atLinks(lines: readonly string[]): TraceLink[] {
  const first = lines.findIndex((line) => AT.test(line))
  if (first < 0) return []
  const links: { type: string; message: string; frames: Frame[] }[] = [{ ...headerAbove(lines, first), frames: [] }]
  let isAside = false
  for (const line of lines.slice(first)) {
    const isFrame = AT.test(line)
    const cause = isFrame ? null : CAUSED.exec(line)
    if (cause) {
      links.push({ ...(readHeader(cause[1] as string) ?? { type: '', message: cause[1] as string }), frames: [] })
      isAside = false
    } else if (!isFrame) isAside ||= ASIDE.test(line)
    else if (!isAside) {
      const { frames } = links.at(-1) as (typeof links)[number]
      if (frames.length < MOST_FRAMES) frames.push(knownFrame(line))
    }
  }
  return links
}

/** Messages may have several lines: the first line of all, else the nearest above the frames. */
function headerAbove(lines: readonly string[], frame: number): { type: string; message: string } {
  const above = lines.slice(0, frame)
  for (const line of [above[0] ?? '', ...above.toReversed()]) {
    const header = readHeader(line)
    if (header) return header
  }
  return { type: '', message: above.at(-1) ?? '' }
}

/** Code has few places that fail, and they fail often: each is read once. */
const known = new Map<string, Frame>()
const MOST_KNOWN = 5000

function knownFrame(line: string): Frame {
  const found = known.get(line)
  if (found) return found
  const frame = atFrame(line.trim().replace(/ \{$/, '').slice('at '.length))
  if (known.size >= MOST_KNOWN) known.clear()
  known.set(line, frame)
  return frame
}

function atFrame(place: string): Frame {
  const java = JAVA.exec(place)?.groups
  // Node writes a space before the place, the others none
  if (java && !/\.[cm]?[jt]sx?$/.test(java['file'] ?? '')) {
    const name = java['name'] as string
    return { name, file: '', inApp: !JVM.test(name) && !DOTNET_OWN.test(name) }
  }
  const node = NODE.exec(place)?.groups
  const where = node?.['place'] ?? node?.['bare'] ?? ''
  if (LOCATION.test(where) || /^(?:<anonymous>|native|node:.*|index \d+)$/.test(where)) {
    const name = (node?.['name'] ?? '').replace(/ \[as .*\]$/, '').replace(/^.* /, '')
    return { name: /(?:^|\.)<anonymous>$/.test(name) ? '' : name, file: baseName(where), inApp: LOCATION.test(where) && !NODE_OWN.test(where) }
  }
  const dotnet = DOTNET.exec(place)?.groups
  const name = (dotnet?.['name'] ?? place).trim()
  return { name, file: '', inApp: !JVM.test(name) && !DOTNET_OWN.test(name) }
}

const LOCATION = /[/\\].*:\d+(?::\d+)?$|^[\w.-]+\.[cm]?[jt]sx?:\d+(?::\d+)?$/
/** The last of them is Weir's own instrumentation, which wraps handlers. */
const NODE_OWN = /^node:|\bnode_modules[/\\]|^internal\/|[/\\]internal[/\\]|[/\\]instrumentation[/\\][0-9a-f]{16}[/\\]register\.cjs:/
const JVM =
  /^(?:java|javax|jdk|sun|com\.sun|jakarta|kotlin|kotlinx|scala|groovy|clojure|akka|reactor|io\.(?:netty|opentelemetry|micrometer|vertx|grpc|undertow|quarkus|micronaut)|org\.(?:springframework|apache|hibernate|eclipse|jboss|postgresql|junit|slf4j|aspectj|codehaus|glassfish)|ch\.qos|com\.(?:zaxxer|fasterxml|google\.common|mysql)|okhttp3|lombok)\./
const DOTNET_OWN = /^(?:System|Microsoft)\.|^lambda_method\b/

// Python: outermost first, and causes before what they caused

const PYTHON_FRAME = /^\s*(?:\| )?\s*File "(?<file>[^"]*)", line \d+(?:, in (?<name>.*))?$/
const TRACEBACK = /Traceback \(most recent call last\):\s*$/
const PYTHON_OWN = /[/\\](?:site|dist)-packages[/\\]|[/\\]lib(?:64)?[/\\]python[\d.]+[/\\]|^<frozen /

function isPython(lines: readonly string[]): boolean {
  return lines.some((line) => PYTHON_FRAME.test(line))
}

function pythonLinks(lines: readonly string[]): TraceLink[] {
  const links: { type: string; message: string; frames: Frame[] }[] = []
  let frames: Frame[] = []
  for (const line of lines) {
    const frame = PYTHON_FRAME.exec(line)?.groups
    if (frame) {
      const file = frame['file'] as string
      const name = frame['name'] ?? ''
      if (frames.length < MOST_FRAMES) frames.push({ name: name === '<module>' ? '' : name, file: baseName(file), inApp: !PYTHON_OWN.test(file) })
    } else if (TRACEBACK.test(line)) frames = []
    else if (frames.length > 0 && /^[A-Za-z_]/.test(line)) {
      const match = /^(?<type>[\w.]+)(?::\s*(?<message>.*))?$/.exec(line)?.groups
      links.push({ type: match?.['type'] ?? '', message: match?.['message'] ?? line, frames: frames.reverse() })
      frames = []
    }
  }
  if (frames.length > 0) links.push({ type: '', message: '', frames: frames.reverse() })
  return links.reverse()
}

// Go: a function, and its place on the next line

const GO_PLACE = /^\t(?<file>\S.*\.(?:go|s)):\d+(?: \+0x[0-9a-f]+)?$/
const GO_HEADER = /(?:^|\s)(?:panic(?: serving [^ ]+)?|fatal error): (?<message>.*?)(?: \[recovered.*\])?$/
const GO_OWN = /^(?:runtime|panic|net\/|os|sync|testing|reflect|internal\/|syscall|log|bufio|io|encoding\/|database\/)(?:[./(]|$)/
const GO_LIBRARY = /[/\\]pkg[/\\]mod[/\\]|[/\\]vendor[/\\]|[/\\]go[/\\]src[/\\](?:runtime|net|os|sync)[/\\]/

function isGo(text: string, lines: readonly string[]): boolean {
  return text.includes('\n\t/') && lines.some((line) => GO_PLACE.test(line))
}

function goLinks(lines: readonly string[]): TraceLink[] {
  const header = lines.map((line) => GO_HEADER.exec(line)?.groups?.['message']).find((it) => it !== undefined)
  const frames: Frame[] = []
  for (let at = 1; at < lines.length && frames.length < MOST_FRAMES; at++) {
    const line = lines[at] as string
    const place = GO_PLACE.exec(line)?.groups
    const call = lines[at - 1] as string
    if (/^goroutine \d+ /.test(line) && frames.length > 0) break // the first one is the one that failed
    if (!place || call.startsWith('created by ')) continue
    const name = call.replace(/\((?:[^()]|\{[^}]*\})*\)$/, '')
    frames.push({ name: name.replace(/^.*\//, ''), file: '', inApp: !GO_OWN.test(name) && !GO_LIBRARY.test(place['file'] as string) })
  }
  return [{ type: header === undefined ? '' : 'panic', message: header ?? '', frames }]
}

function baseName(place: string): string {
  const path = place.replace(/(?::\d+){1,2}$/, '').replace(/^file:\/\//, '')
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
}
