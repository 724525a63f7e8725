/**
 * A command line as compose splits it: blanks between words, `'…'` literal, `"…"` with `\"` and `\\`, `\` before any other character.
 * No shell: `|`, `>`, `&&` and `*` are ordinary characters. `$NAME` stays as it is and is expanded when a process starts.
 *
 * @example splitCommand(`node server.js --name "my app"`) // { argv: ['node', 'server.js', '--name', 'my app'] }
 */
export function splitCommand(text: string): { readonly argv: readonly string[] } | { readonly error: string } {
  const argv: string[] = []
  let word: string | null = null
  let quote: '"' | "'" | null = null
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index]!
    if (quote === "'") {
      if (char === "'") quote = null
      else word += char
    } else if (char === '\\') {
      const next = text[index + 1]
      if (next === undefined) return { error: 'ends with a lone backslash' }
      word = (word ?? '') + (quote === '"' && next !== '"' && next !== '\\' ? `\\${next}` : next)
      index += 1
    } else if (quote === '"') {
      if (char === '"') quote = null
      else word += char
    } else if (char === '"' || char === "'") {
      quote = char
      word ??= ''
    } else if (/\s/.test(char)) {
      if (word !== null) argv.push(word)
      word = null
    } else word = (word ?? '') + char
  }
  if (quote) return { error: `has no closing ${quote}` }
  if (word !== null) argv.push(word)
  return argv.length > 0 ? { argv } : { error: 'is empty' }
}

/** What only a shell would understand in `text`, or null: such a command would start, and do something else. */
export function shellSyntax(text: string): string | null {
  const bare = text.replace(/'[^']*'|"(?:\\.|[^"\\])*"|\\./g, '')
  return /(^|\s)(&&|\|\||\||;|&|>>?|<)(\s|$)|\$\(|`|[^\s];(\s|$)/.exec(bare)?.[0].trim() ?? null
}
