import { tellingLine } from '../../../core/model/telling-line.ts'
import { killGroup } from './exec-session.ts'
import { LineCutter } from './lines.ts'
import type { ProbeResult } from './probe.ts'
import type { Sandbox } from './sandbox.ts'

/** A health check by command: good when it exits with 0 in time. */
export async function runCheck(sandbox: Sandbox, ports: Readonly<Record<string, number>>, argv: readonly string[], timeoutMs: number): Promise<ProbeResult> {
  const bad = (cause: string): ProbeResult => ({ ok: false, cause: `${argv.join(' ').slice(0, 80)}: ${cause}`, nobodyListens: false })
  const child = await sandbox.check(argv, ports)
  return new Promise((resolve) => {
    const lines: string[] = []
    const cutter = new LineCutter((line) => lines.push(line) > 20 && lines.shift())
    child.stdin?.destroy()
    child.stdout?.on('data', (chunk: Buffer) => cutter.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => cutter.push(chunk))
    let late = false
    const timer = setTimeout(() => {
      late = true
      killGroup(child)
    }, timeoutMs)
    child.once('error', (error) => {
      clearTimeout(timer)
      resolve(bad(error.message))
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      cutter.end()
      if (code === 0) return resolve({ ok: true })
      const line = tellingLine(lines)
      resolve(bad(late ? `did not end within ${timeoutMs} ms` : `${signal ? `ended by ${signal}` : `exited with ${code}`}${line ? `: ${line}` : ''}`))
    })
  })
}
