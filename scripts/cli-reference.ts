/** docs/reference/cli.md from the table of verbs in src/cli/frame/verbs.ts. */
import { GLOBAL_OPTIONS, NOT_YET, VERBS, type Verb } from '../src/cli/frame/verbs.ts'

export const CLI_FILE = 'docs/reference/cli.md'

export function cliReference(): string {
  const groups = Map.groupBy(
    VERBS.filter((verb) => !verb.hidden),
    (verb) => verb.group,
  )
  return `# Commands

Generated from \`src/cli/frame/verbs.ts\` by \`npm run generate\`.

\`weir VERB --help\` says the same in the terminal. Words in \`<…>\` are needed, in \`[…]\` not; \`…\` stands for one or more. What follows \`--\` is never read as an
option: \`weir run web -- node --version\`.

${[...groups].map(([group, verbs]) => section(group, verbs)).join('\n')}
## For every command
${optionTable(GLOBAL_OPTIONS)}
## Refused with "not yet supported"
${Object.entries(NOT_YET)
  .map(([word, what]) => `- \`${word}\`: ${what}`)
  .join('\n')}
`
}

function section(group: string, verbs: readonly Verb[]): string {
  return `## ${group}\n${verbs.map(entry).join('\n')}`
}

function entry({ path, aliases, about, args, options, isDefault }: Verb): string {
  const parent = path.split(' ')[0] ?? ''
  const also = [...(isDefault ? [parent] : []), ...(aliases ?? [])].map((it) => `\`weir ${it}\``)
  const title = `### \`weir ${path}${args === undefined ? '' : ` ${args.replaceAll('...', '…')}`}\``
  const text = `${about}${also.length === 0 ? '' : ` (also ${also.join(', ')})`}`
  return [title, text, ...(options ? ['', optionTable(options)] : [''])].join('\n')
}

function optionTable(options: readonly (readonly [flags: string, about: string])[]): string {
  const rows = options.map(([flags, about]) => `| \`${flags.replaceAll('|', '\\|')}\` | ${about} |`)
  return `| option | |\n|---|---|\n${rows.join('\n')}\n`
}
