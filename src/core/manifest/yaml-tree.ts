import type { Document, Node, Scalar, YAMLMap } from 'yaml'
import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser } from 'yaml'
import type { Place, Problem } from './problems.ts'
import { decode, placeIn, problem } from './text.ts'
import type { Tree, TreeEntry } from './tree.ts'

const MAX_DEPTH = 32
/** Values in one file, aliases counted as often as they are used: what one anchor may explode to. */
const MAX_VALUES = 50_000
/** Enough for a thousand services of ten lines. */
const MAX_LEXEMES = 250_000
/** One slip of the pen makes many errors; after so many the rest says nothing new. */
const MAX_SYNTAX_ERRORS = 20
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])
/** Keys whose value is a plain number, where `0.50` and `1.0` mean what they say. */
const DECIMAL_KEYS = new Set(['cpu', 'cpus'])

/**
 * Bytes of a YAML (or JSON) file as a tree with places; all problems of the text itself at once. No tree: nothing more can be said.
 *
 * @example parseYaml('weir.yaml', new TextEncoder().encode('version: 1')) // { tree: …, problems: [] }
 */
export function parseYaml(file: string, bytes: Uint8Array): { readonly tree: Tree | null; readonly problems: readonly Problem[] } {
  const decoded = decode(file, bytes)
  if ('problem' in decoded) return { tree: null, problems: [decoded.problem] }
  const lines = new LineCounter()
  const document = compose(file, decoded.text, lines)
  if ('problem' in document) return { tree: null, problems: [document.problem] }
  return new Reader(file, lines, decoded.text).read(document.document)
}

function compose(file: string, text: string, lines: LineCounter): { readonly document: Document.Parsed } | { readonly problem: Problem } {
  const lexemes = lex(text)
  if (!lexemes) return { problem: problem({ file, line: 1, column: 1 }, `the file holds more than ${MAX_LEXEMES} words and signs`, 'split the app') }
  const parser = new Parser(lines.addNewLine)
  const composer = new Composer({ lineCounter: lines, prettyErrors: false, uniqueKeys: false, merge: false, logLevel: 'silent' })
  const documents: Document.Parsed[] = []
  let errors = 0
  lines.addNewLine(0)
  for (const lexeme of lexemes) {
    for (const token of parser.next(lexeme)) {
      errors += token.type === 'error' ? 1 : 0
      for (const document of composer.next(token)) documents.push(document)
    }
    // A stack this deep would overflow the composer, which recurses; the exact limit is checked on the values.
    if (parser.stack.length > MAX_DEPTH * 3) return { problem: tooDeep(placeIn(file, text, parser.offset)) }
    if (errors > MAX_SYNTAX_ERRORS || documents.length > 1) break
  }
  for (const token of parser.end()) for (const document of composer.next(token)) documents.push(document)
  for (const document of composer.end(true, text.length)) documents.push(document)
  const [first, second] = documents
  if (second) return { problem: problem(placeIn(file, text, second.range[0]), 'a second document begins here', 'one manifest a file: remove the `---`') }
  if (!first) return { problem: problem({ file, line: 1, column: 1 }, 'the file is empty', null) }
  return { document: first }
}

/** Counted before anything is made of them, because making is what costs. */
function lex(text: string): string[] | null {
  const lexemes: string[] = []
  for (const lexeme of new Lexer().lex(text)) if (lexemes.push(lexeme) > MAX_LEXEMES) return null
  return lexemes
}

/** Turns the parser's nodes into a tree, and collects what is wrong with them. */
class Reader {
  readonly #file: string
  readonly #lines: LineCounter
  readonly #text: string
  readonly #problems: Problem[] = []
  /** In the order of the text, so that an alias means the last anchor before it. */
  readonly #anchors = new Map<string, Node>()
  /** Nodes around the one that is read, so that an alias to one of them is seen to contain itself. */
  readonly #open = new Set<Node>()
  #expanding = 0
  #cut = false
  #values = 0

  constructor(file: string, lines: LineCounter, text: string) {
    this.#file = file
    this.#lines = lines
    this.#text = text
  }

  read(document: Document.Parsed): { tree: Tree | null; problems: readonly Problem[] } {
    for (const error of document.errors.slice(0, MAX_SYNTAX_ERRORS)) this.#problems.push(syntaxProblem(this.#place(error.pos[0]), error.code, error.message))
    for (const warning of document.warnings.filter(({ code }) => code !== 'TAG_RESOLVE_FAILED').slice(0, MAX_SYNTAX_ERRORS))
      this.#problems.push(syntaxProblem(this.#place(warning.pos[0]), warning.code, warning.message))
    if (document.errors.length > 0) return { tree: null, problems: this.#problems }
    const tree = this.#tree(document.contents, 0, '')
    if (tree.kind === 'scalar' && tree.value === null && this.#problems.length === 0)
      this.#problems.push(problem({ file: this.#file, line: 1, column: 1 }, 'the file is empty', null))
    // What was cut off would only be called missing.
    const cut = this.#cut || (tree.kind === 'scalar' && tree.value === null)
    return { tree: cut ? null : tree, problems: this.#problems }
  }

  #tree(node: Node | null, depth: number, key: string): Tree {
    const place = this.#placeOf(node)
    this.#values += 1
    if (this.#values > MAX_VALUES) {
      this.#cut = true
      if (this.#values === MAX_VALUES + 1)
        this.#problems.push(
          problem(place, `the file holds more than ${MAX_VALUES} values, aliases included`, 'write it without nested anchors, or split the app'),
        )
      return nothing(place)
    }
    if (depth > MAX_DEPTH) {
      this.#cut = true
      this.#problems.push(tooDeep(place))
      return nothing(place)
    }
    if (node === null) return nothing(place)
    if (isAlias(node)) return this.#alias(node.source, node, depth, key)
    if (node.tag && !/^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/.test(node.tag)) {
      this.#problems.push(problem(place, `the tag \`${node.tag}\` is not used here`, 'remove it'))
      return nothing(place)
    }
    if (node.anchor === undefined) return this.#value(node, place, depth, key)
    if (this.#expanding === 0) this.#anchors.set(node.anchor, node)
    this.#open.add(node)
    const tree = this.#value(node, place, depth, key)
    this.#open.delete(node)
    return tree
  }

  #value(node: Node, place: Place, depth: number, key: string): Tree {
    if (isMap(node)) return this.#map(node as YAMLMap<Node, Node | null>, place, depth)
    if (isSeq(node)) return { kind: 'list', place, items: (node.items as (Node | null)[]).map((item) => this.#tree(item, depth + 1, key)) }
    return isScalar(node) ? this.#scalar(node, place, key) : nothing(place)
  }

  #alias(anchor: string, alias: Node, depth: number, key: string): Tree {
    const target = this.#anchors.get(anchor)
    if (!target || this.#open.has(target)) {
      const place = this.#placeOf(alias)
      this.#problems.push(problem(place, target ? `the alias \`*${anchor}\` contains itself` : `no anchor \`&${anchor}\` before this alias`, null))
      return nothing(place)
    }
    this.#expanding += 1
    const tree = this.#tree(target, depth, key)
    this.#expanding -= 1
    return tree
  }

  #map(node: YAMLMap<Node, Node | null>, place: Place, depth: number): Tree {
    const entries = new Map<string, TreeEntry>()
    const merged: Tree[] = []
    for (const pair of node.items) {
      const keyPlace = this.#placeOf(pair.key)
      const key = isScalar(pair.key) ? String(pair.key.value ?? '') : null
      if (key === null) this.#problems.push(problem(keyPlace, 'a key must be plain text', null))
      else if (FORBIDDEN_KEYS.has(key)) this.#problems.push(problem(keyPlace, `the key \`${key}\` cannot be used`, 'choose another name'))
      else if (key === '<<' && (pair.key as Scalar).type === 'PLAIN') {
        const tree = this.#tree(pair.value, depth + 1, key)
        merged.push(...(tree.kind === 'list' ? tree.items : [tree]))
      } else if (entries.has(key)) {
        const before = entries.get(key)!.key
        this.#problems.push(problem(keyPlace, `the key \`${key}\` is here twice (first at ${before.line}:${before.column})`, 'keep one of them'))
      } else {
        const tree = this.#tree(pair.value, depth + 1, key)
        const empty = pair.value === null || (isScalar(pair.value) && pair.value.value === null)
        entries.set(key, { key: keyPlace, tree: empty ? nothing(keyPlace) : tree })
      }
    }
    // As in YAML 1.1: own keys come first, then the maps of `<<` in their order.
    for (const tree of merged) {
      if (tree.kind !== 'map') this.#problems.push(problem(tree.place, '`<<` takes a map or a list of maps', null))
      else for (const [key, entry] of tree.entries) if (!entries.has(key)) entries.set(key, entry)
    }
    return { kind: 'map', place, entries }
  }

  #scalar(node: Scalar, place: Place, key: string): Tree {
    const value = node.value
    if (typeof value === 'string' || typeof value === 'boolean' || value === null || value === undefined) return { kind: 'scalar', place, value: value ?? null }
    const source = (node.source ?? '').trim()
    if (typeof value !== 'number' || (String(value) !== source && !(DECIMAL_KEYS.has(key) && /^\d+\.\d+$/.test(source)))) {
      this.#problems.push(problem(place, `YAML reads \`${source}\` as the number ${String(value)}`, `quote it: "${source}"`))
    }
    return { kind: 'scalar', place, value: Number(value) }
  }

  #placeOf(node: Node | null): Place {
    return this.#place(node?.range?.[0] ?? this.#text.length)
  }

  #place(offset: number): Place {
    const at = this.#lines.linePos(Math.max(0, Math.min(offset, this.#text.length)))
    return { file: this.#file, line: Math.max(1, at.line), column: Math.max(1, at.col) }
  }
}

/** Stands where a value was refused; whatever else is said about this place is left out (manifest.ts). */
function nothing(place: Place): Tree {
  return { kind: 'scalar', place, value: null }
}

function tooDeep(place: Place): Problem {
  return problem(place, `nested more than ${MAX_DEPTH} deep`, 'nothing in a manifest needs that')
}

const SYNTAX: Readonly<Record<string, readonly [message: string, hint: string | null]>> = {
  TAB_AS_INDENT: ['a tab where YAML wants spaces', 'indent with spaces'],
  BAD_INDENT: ['the indentation does not fit the lines around it', 'items of one map or list begin in the same column'],
  MISSING_CHAR: ['a character is missing here', 'look for an unclosed quote or bracket'],
  BLOCK_AS_IMPLICIT_KEY: ['a nested map is not possible here', 'quote the value if it contains `: `'],
  MULTILINE_IMPLICIT_KEY: ['a key must stand on one line', 'is a `:` missing?'],
}

function syntaxProblem(place: Place, code: string, message: string): Problem {
  const [text, hint] = SYNTAX[code] ?? [message.split('\n')[0] ?? code, null]
  return problem(place, `not valid YAML: ${text}`, hint)
}
