import type { Place, Problem } from './problems.ts'

const MAX_BYTES = 1024 * 1024

/** UTF-8 text of at most `MAX_BYTES`, without its byte order mark. */
export function decode(file: string, bytes: Uint8Array): { readonly text: string } | { readonly problem: Problem } {
  const start = { file, line: 1, column: 1 }
  if (bytes.length > MAX_BYTES)
    return {
      problem: problem(
        start,
        `the file has ${bytes.length} bytes, over the limit of 1 MiB (${MAX_BYTES})`,
        'a manifest describes an app; put data into files of their own',
      ),
    }
  if (bytes.length >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)))
    return { problem: problem(start, 'the file is UTF-16, not UTF-8', 'save it as UTF-8') }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    const control = text.search(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/)
    if (control >= 0)
      return { problem: problem(placeIn(file, text, control), `control character 0x${text.charCodeAt(control).toString(16).padStart(2, '0')}`, 'remove it') }
    return { text }
  } catch {
    return { problem: problem(placeOfBadByte(file, bytes), 'not valid UTF-8', 'save the file as UTF-8') }
  }
}

export function problem(place: Place, message: string, hint: string | null): Problem {
  return { ...place, code: 'E_MANIFEST', path: '', message, hint }
}

export function placeIn(file: string, text: string, offset: number): Place {
  const before = text.slice(0, offset)
  const newline = before.lastIndexOf('\n')
  return { file, line: before.split('\n').length, column: before.length - newline }
}

/** The longest valid prefix ends where the bad byte is: found by halving. */
function placeOfBadByte(file: string, bytes: Uint8Array): Place {
  let good = 0
  let bad = bytes.length
  while (bad - good > 1) {
    const middle = (good + bad) >> 1
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, middle), { stream: true })
      good = middle
    } catch {
      bad = middle
    }
  }
  return placeIn(file, new TextDecoder().decode(bytes.subarray(0, good), { stream: true }), Number.POSITIVE_INFINITY)
}
