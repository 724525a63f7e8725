import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** `false`, or why a test is left out: a program is missing. In CI nothing may be missing, so there the test runs and fails. */
export function missing(...programs: readonly string[]): string | false {
  const absent = programs.filter((program) => !isInstalled(program))
  if (absent.length === 0 || process.env['CI']) return false
  return `needs ${absent.join(', ')}: \`make test\` installs it as root on Debian`
}

function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** What programs of others are started with: this machine's own settings, by which they reach their registries, and nothing of Weir's or of tests. */
export function testEnvironment(): Record<string, string> {
  const env = Object.entries(process.env).filter(([name, value]) => value !== undefined && !/^(WEIR_|OTEL_|NODE_(?!EXTRA_CA_CERTS))/.test(name))
  return Object.fromEntries(env) as Record<string, string>
}
