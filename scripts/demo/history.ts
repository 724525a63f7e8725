import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { runCommand } from '../../src/spawn.ts'

export interface Commit {
  readonly id: string
  readonly subject: string
}

interface Edit {
  readonly file: string
  /** What stands there once, and what comes in its place. */
  readonly replace: readonly (readonly [before: string, after: string])[]
}

interface Change extends Edit {
  readonly subject: string
}

const FIRST = 'A playlist of seven services'
/** Half of the requests, so that proof does not take long; a release is judged by its errors only, because a machine that does other things may be slow. */
const JUDGED: Edit = {
  file: 'weir.yaml',
  replace: [
    [
      '    build: web\n',
      `    build: web
    release: { strategy: canary, steps: [50%], split: { by: request }, analysis: { compare: [errors, signatures, restarts] } }
`,
    ],
  ],
}
const CHANGES: readonly Change[] = [
  {
    subject: 'web: say how many songs there are',
    file: 'web/index.html',
    replace: [
      ['<h2>Songs</h2>', '<h2>Songs <small id="count"></small></h2>'],
      ["    at('songs').replaceChildren(", "    at('count').textContent = `(${home.songs.length})`\n    at('songs').replaceChildren("],
    ],
  },
  {
    // nobody is signed in on the first visit
    subject: 'web: greet the user by the first name',
    file: 'web/server.js',
    replace: [['return { ...home, releases', "return { ...home, greeting: `Hi ${home.user.name.split(' ')[0]}`, releases"]],
  },
  {
    subject: 'home: three most played songs are enough',
    file: 'home/server.js',
    replace: [['songs, mostPlayed, playlists: named', 'songs, mostPlayed: mostPlayed.slice(0, 3), playlists: named']],
  },
]

/**
 * Makes `repository` out of an example, as a team would have it: the app, then changes of one service each, the second of them broken. Answers its commits, oldest first.
 *
 * @example const [first, better, broken] = await makeHistory('examples/playlist', '/tmp/playlist')
 */
export async function makeHistory(example: string, repository: string): Promise<Commit[]> {
  const git = gitIn(repository)
  cpSync(example, repository, { recursive: true, filter: (path) => basename(path) !== 'node_modules' })
  apply(repository, JUDGED)
  await git('init', '--quiet', '--initial-branch=main')
  const commits = [await commit(git, FIRST)]
  for (const change of CHANGES) {
    apply(repository, change)
    commits.push(await commit(git, change.subject))
  }
  return commits
}

function apply(repository: string, { file, replace }: Edit): void {
  const path = join(repository, file)
  let text = readFileSync(path, 'utf8')
  for (const [before, after] of replace) {
    if (text.split(before).length !== 2) throw new Error(`"${before}" does not stand once in ${file} of the example`)
    text = text.replace(before, () => after)
  }
  writeFileSync(path, text)
}

type Git = (...args: readonly string[]) => Promise<string>

async function commit(git: Git, subject: string): Promise<Commit> {
  await git('add', '--all')
  await git('commit', '--quiet', '--message', subject)
  return { id: await git('rev-parse', 'HEAD'), subject }
}

/** Nothing of the person's own settings: no signing, no hooks, no template. */
function gitIn(folder: string): Git {
  const person = { NAME: 'Ada', EMAIL: 'ada@example.com' }
  const env = {
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    ...Object.fromEntries(Object.entries(person).flatMap(([name, value]) => [`GIT_AUTHOR_${name}`, `GIT_COMMITTER_${name}`].map((it) => [it, value]))),
  }
  return async (...args) => {
    const { code, stdout, stderr } = await runCommand({ argv: ['git', ...args], cwd: folder, env, timeoutMs: 30_000 })
    if (code !== 0) throw new Error(`git ${args[0]}: ${stderr.trim()}`)
    return stdout.trim()
  }
}
