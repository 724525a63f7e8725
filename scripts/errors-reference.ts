/** docs/reference/errors.md from the catalogue in src/errors.ts. */
import { CATALOGUE } from '../src/errors.ts'

export const ERRORS_FILE = 'docs/reference/errors.md'

export function errorsReference(): string {
  const rows = Object.entries(CATALOGUE).map(([code, { status, exit, about }]) => `| \`${code}\` | ${status} | ${exit} | ${about} |`)
  return `# Errors

Generated from \`src/errors.ts\` by \`npm run generate\`.

Every error says up to five things: its headline, the **cause** a person would have looked for, where the **evidence** is, which **state** things are
in now, and what to type **next**. With \`--json\`, and from the API as \`application/problem+json\`, they come as
\`{code, message, cause, evidence, state, next, docs}\`.

| code | API status | CLI exit code | meaning |
|---|---|---|---|
${rows.join('\n')}
`
}
