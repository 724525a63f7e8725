import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runCommand } from '../../src/spawn.ts'

/** A git repository that tests push to. */
export interface Repository {
  readonly folder: string
  readonly url: string
  /** Writes the files, commits everything and answers the commit. */
  commit(subject: string, files?: Readonly<Record<string, string>>): Promise<string>
  git(...args: string[]): Promise<string>
}

export async function repository(folder: string): Promise<Repository> {
  mkdirSync(folder, { recursive: true })
  const git = async (...args: string[]): Promise<string> => {
    const identity = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', '-c', 'init.defaultBranch=main', '-c', 'commit.gpgsign=false']
    const { code, stdout, stderr } = await runCommand({ argv: ['git', ...identity, ...args], cwd: folder, env: GIT, timeoutMs: 20_000 })
    if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
    return stdout.trim()
  }
  await git('init', '--quiet')
  return {
    folder,
    url: `file://${folder}`,
    git,
    async commit(subject, files = {}) {
      for (const [file, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, file)), { recursive: true })
        writeFileSync(join(folder, file), text)
      }
      await git('add', '--all')
      await git('commit', '--quiet', '--allow-empty', '-m', subject)
      return git('rev-parse', 'HEAD')
    },
  }
}

const GIT = { PATH: process.env['PATH'] ?? '', GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C' }
