import type { ErrorCode, Explanation } from '../../errors.ts'

/** A position in a file, both counted from 1. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** One thing a person has to change in a manifest. All of them are reported at once. */
export interface Problem extends Place {
  readonly code: Extract<ErrorCode, 'E_MANIFEST' | 'E_UNSUPPORTED' | 'E_NAME'>
  /** Keys from the top of the file: `services.web.scale.min`. */
  readonly path: string
  readonly message: string
  /** What to write instead; null when the message says all. */
  readonly hint: string | null
}

/** Something the file says that Weir does not act on, and what that means for the app. */
export interface Note extends Place {
  readonly path: string
  readonly effect: string
}

/** A file that is wrong in every line needs no longer list. */
const MOST_SHOWN = 200

/**
 * The explanation of a `WeirError('E_MANIFEST', …)`.
 *
 * @example throw new WeirError(problemsCode(problems), problemsError(problems))
 */
export function problemsError(problems: readonly Problem[]): Explanation {
  const files = [...new Set(problems.map((problem) => problem.file))]
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
  return {
    message: `${files.join(' and ')} ${files.length > 1 ? 'have' : 'has'} ${count}`,
    cause: problems[0] ? problemLine(problems[0]) : 'unknown',
    state: 'nothing was changed',
    next: 'weir plan',
    problems: problems
      .slice(0, MOST_SHOWN)
      .map((problem) => ({ at: at(problem), message: problem.message, ...(problem.hint === null ? {} : { hint: problem.hint }) })),
  }
}

/** `E_UNSUPPORTED` or `E_NAME` when all problems are of that kind, else `E_MANIFEST`. */
export function problemsCode(problems: readonly Problem[]): Problem['code'] {
  const codes = new Set(problems.map((problem) => problem.code))
  return codes.size === 1 ? ([...codes][0] ?? 'E_MANIFEST') : 'E_MANIFEST'
}

/** @example problemLine(problem) // "weir.yaml:7:5 unknown key `prots` (did you mean `ports`?)" */
export function problemLine(problem: Problem): string {
  return `${at(problem)} ${problem.message}${problem.hint === null ? '' : ` (${problem.hint})`}`
}

/** By file, then by position. The same sentence at the same place is said once: an overlay's mistake shows in every environment that has it. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const seen = new Map<string, Problem>()
  for (const problem of problems.map(printable)) if (!seen.has(problemLine(problem))) seen.set(problemLine(problem), problem)
  return [...seen.values()].sort(byPlace)
}

/** By file, then by position, each once. */
export function sortNotes(notes: readonly Note[]): Note[] {
  return [...new Map(notes.map((note) => [`${at(note)} ${note.path} ${note.effect}`, note])).values()].sort(byPlace)
}

const LONGEST = 500

/** What a file says is repeated in messages: without signs that steer a terminal, and not by the megabyte. */
function printable(problem: Problem): Problem {
  const clean = (text: string) => {
    const plain = text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
    return plain.length > LONGEST ? `${plain.slice(0, LONGEST)}…` : plain
  }
  return { ...problem, path: clean(problem.path), message: clean(problem.message), hint: problem.hint === null ? null : clean(problem.hint) }
}

function byPlace(a: Place, b: Place): number {
  return a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column
}

function at(place: Place): string {
  return `${place.file}:${place.line}:${place.column}`
}
