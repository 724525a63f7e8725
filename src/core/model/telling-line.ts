/** `TypeError: …`, `java.io.IOException: …`, `Error [ERR_X]: …`, `panic: …`, `fatal: …`, `error: …` */
const NAMES_AN_ERROR = /^(?:Uncaught |Exception in thread "[^"]*" )?[\w.$]*(?:Error|Exception)\b[^:]*:|^(?:panic|fatal|error|setpriv|sh|bash|node)\b[^:]*: /i
const SPEAKS_OF_ONE = /error|exception|cannot|not found/i
/** Stack frames, carets, brackets, Node's closing line, npm's frame: they surround the line that matters. */
const SURROUNDS =
  /^\s*at |^\s*File "|^Traceback |^Node\.js v|^goroutine \d+|^[\s^~{}()[\];,]*$|complete log of this run|^npm (?:error|ERR!)\s*(?:code|path|command|errno|signal|$)/
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours of terminals are what is taken out
const COLOURS = /\u001b\[[0-9;]*m/g

/**
 * Of what a program printed before it failed, the line that a person would have looked for: the last that names an error, else the last
 * that speaks of one, else the last that is not the surroundings of one; null when there is none. At most 300 characters.
 *
 * @example tellingLine(['Error: connect ECONNREFUSED 127.0.0.1:5432', '    at …', 'Node.js v24.21.0']) // 'Error: connect ECONNREFUSED 127.0.0.1:5432'
 */
export function tellingLine(lines: readonly string[]): string | null {
  const candidates = lines.map((it) => it.replace(COLOURS, '')).filter((it) => !SURROUNDS.test(it))
  const line = candidates.findLast((it) => NAMES_AN_ERROR.test(it)) ?? candidates.findLast((it) => SPEAKS_OF_ONE.test(it)) ?? candidates.at(-1)
  return line === undefined ? null : line.trim().slice(0, 300)
}
