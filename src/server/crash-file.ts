import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { EnvironmentPorts } from '../controllers/environment.ts'

/**
 * Lets tests kill this server at a chosen instruction, as `kill -9` would: `WEIR_CRASH_FILE` names a file with the number of points of
 * passes (before and after save, after the effects, after their outcomes) that are still to be survived. At none left the file goes, and
 * the server with it; whoever comes next finds no file and lives. Without the variable nothing is looked at.
 */
export function crashFile(env: NodeJS.ProcessEnv = process.env): { readonly point: NonNullable<EnvironmentPorts['point']> } | Record<string, never> {
  const file = env['WEIR_CRASH_FILE']
  if (file === undefined) return {}
  return {
    point: () => {
      const left = remaining(file)
      if (left === null) return
      if (left > 0) return writeFileSync(file, String(left - 1))
      rmSync(file)
      process.kill(process.pid, 'SIGKILL')
    },
  }
}

function remaining(file: string): number | null {
  try {
    const text = readFileSync(file, 'utf8').trim()
    return /^\d+$/.test(text) ? Number(text) : null
  } catch {
    return null // nobody is to be killed
  }
}
