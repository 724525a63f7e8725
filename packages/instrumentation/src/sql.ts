/** In this order: what opens first wins, so a quote in a comment opens nothing. */
const LITERALS =
  /--[^\n]*|\/\*[\s\S]*?\*\/|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$|\b[eE]'(?:\\[\s\S]|''|[^'\\])*'|'(?:''|[^'])*'|'[\s\S]*$|"(?:""|[^"])*"|\$\d+|\b0x[0-9a-f]+\b|(?<![\w$])[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?\b/gi
const SUMMARY =
  /\b(select|insert\s+into|update|delete\s+from|with|create\s+\w+|alter\s+\w+|drop\s+\w+|truncate|begin|commit|rollback|copy|call|listen|notify|set|show)\b/i
const TABLE = /\b(?:from|into|update|join|table)\s+(?:only\s+|if\s+(?:not\s+)?exists\s+)*("[^"]+"|[\w.$]+)/i
const MOST_SHOWN = 2048
const MOST_READ = 16_384
const MOST_REMEMBERED = 500

export interface Statement {
  /** Without comments and with `?` for each value. */
  readonly text: string
  /** `SELECT songs`: few enough to be counted by. */
  readonly summary: string
  readonly operation: string
}

/**
 * What a statement does, without the values in it.
 *
 * @example describeStatement("select * from users where mail = 'a@b.c' and id = $1").text // 'select * from users where mail = ? and id = $1'
 */
export function describeStatement(sql: string): Statement {
  const known = remembered.get(sql)
  if (known !== undefined) return known
  const text = sql
    .slice(0, MOST_READ)
    .replace(LITERALS, (literal) => (/^(--|\/\*)/.test(literal) ? ' ' : /^("|\$\d)/.test(literal) ? literal : '?'))
    .replace(/\s+/g, ' ')
    .trim()
  const operation = (SUMMARY.exec(text)?.[1] ?? text.split(' ', 1)[0] ?? '').split(' ', 1)[0]?.toUpperCase().slice(0, 32) ?? ''
  const table = TABLE.exec(text)?.[1]?.replaceAll('"', '')
  const statement = { text: text.slice(0, MOST_SHOWN), operation, summary: table === undefined ? operation : `${operation} ${table.slice(0, 64)}` }
  if (remembered.size >= MOST_REMEMBERED) remembered.clear() // statements with values in them never come again
  remembered.set(sql, statement)
  return statement
}

const remembered = new Map<string, Statement>()
