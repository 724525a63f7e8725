/** The server's own log: one JSON object a line on stderr, a constant message and fields. Never secrets: parts that hold them print «hidden». */
export function log(message: string, fields: Readonly<Record<string, unknown>>): void {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), message, ...fields })}\n`)
}
