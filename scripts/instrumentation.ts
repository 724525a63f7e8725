import { join } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '..')

/** One file for the Node of whoever runs the service, which may be older than Weir's; it loads before anything of the app, so as a script. */
export async function bundleInstrumentation(outfile: string): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: [join(ROOT, 'packages/instrumentation/src/register.ts')],
    outfile,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node18',
    define: { 'import.meta.url': '__filename' },
    logLevel: 'warning',
  })
}
