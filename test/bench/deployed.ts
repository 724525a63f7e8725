import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { get, type Installation, installation } from '../e2e/installation.ts'

/** What `weir deploy --json` says in the end. */
export interface Deployed {
  readonly release: number
  readonly urls: readonly string[]
}

/** Runs `weir up` or `weir deploy` in a folder and waits until the address that it names gives a good answer. */
export async function deployed(weir: Installation, args: readonly string[], folder: string): Promise<Deployed & { readonly url: string }> {
  const result = await weir.json<Deployed>(args, { cwd: folder })
  const url = result.urls[0]
  if (url === undefined) throw new Error(`weir ${args.join(' ')} names no address`)
  const { status, body } = await get(url)
  if (status !== 200) throw new Error(`${url} answered ${status}: ${body.slice(0, 200)}`)
  return { ...result, url }
}

/** A line more in a file of the source: other code with the same behaviour, so another slug. */
export function changeSource(folder: string, file: string, mark: string): void {
  appendFileSync(join(folder, file), `\n// ${mark}\n`)
}

/** An installation for one measurement; whatever happens in it, nothing of it stays. */
export async function withInstallation<T>(work: (weir: Installation) => Promise<T>): Promise<T> {
  const weir = await installation()
  try {
    return await work(weir)
  } finally {
    await weir.remove()
  }
}

/** A running Weir with hello deployed: as the example is, or with more said about its service. */
export async function withHello<T>(more: string, work: (weir: Installation, hello: { folder: string; url: string }) => Promise<T>): Promise<T> {
  return withInstallation(async (weir) => {
    const folder = weir.example('hello')
    if (more !== '') appendFileSync(join(folder, 'weir.yaml'), more)
    const { url } = await deployed(weir, ['up'], folder)
    return work(weir, { folder, url })
  })
}

export const HELLO = '/api/v1/apps/hello/environments/production'
