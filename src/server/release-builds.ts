import type { Builds } from '../api/ports.ts'
import type { Builder, BuildRequest, ObservedBuild } from '../build/builder.ts'
import { buildsOf, type DraftPorts, draft } from '../controllers/draft.ts'
import { isWeirError } from '../errors.ts'
import type { EnvironmentRef, Queries } from '../store/queries.ts'

const LOOK_AGAIN_MS = 200

/** Builds of a release as the API shows them: found again by their keys, which the release's own source gives. */
export class ReleaseBuilds implements Builds {
  readonly #ports: DraftPorts & { readonly queries: Queries; readonly builder: Builder }

  constructor(ports: DraftPorts & { readonly queries: Queries }) {
    this.#ports = ports
  }

  async observe(ref: EnvironmentRef, release: number): Promise<Readonly<Record<string, ObservedBuild>>> {
    const observed: Record<string, ObservedBuild> = {}
    for (const [service, key] of await this.#keys(ref, release)) {
      const build = await this.#ports.builder.observe(key)
      if (build) observed[service] = build
    }
    return observed
  }

  async *log(ref: EnvironmentRef, release: number, request: Parameters<Builds['log']>[2]): ReturnType<Builds['log']> {
    const keys = await this.#keysWhenKnown(ref, release, request.signal)
    for (const [service, key] of keys) {
      if (request.service !== null && request.service !== service) continue
      let offset = request.from[service] ?? 0
      const decoder = new TextDecoder()
      for await (const chunk of this.#ports.builder.log(key, offset)) {
        if (request.signal.aborted) return
        offset += chunk.length
        yield { service, offset, text: decoder.decode(chunk, { stream: true }) }
      }
    }
  }

  /** A queued release has no graph yet, so nobody knows what will be built. */
  async #keysWhenKnown(ref: EnvironmentRef, release: number, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    while (!signal.aborted) {
      const detail = await this.#ports.queries.release(ref, release)
      if (!detail || detail.status !== 'queued') return this.#keys(ref, release)
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
    }
    return new Map()
  }

  async #keys(ref: EnvironmentRef, release: number): Promise<ReadonlyMap<string, string>> {
    const detail = await this.#ports.queries.release(ref, release)
    if (!detail || detail.status === 'queued' || detail.source.kind === 'release') return new Map()
    if (detail.status === 'ready') return new Map(Object.entries(detail.artifacts).map(([service, { key }]) => [service, key]))
    const source = detail.source.kind === 'git' && detail.commit ? { ...detail.source, commit: detail.commit.commit } : detail.source
    try {
      const drafted = await draft(this.#ports, { ...ref, source, manifest: detail.manifest })
      const keys = await Promise.all(buildsOf(ref, drafted).map(async (build: BuildRequest) => [build.service, await this.#ports.builder.key(build)] as const))
      return new Map(keys)
    } catch (error) {
      // A source that cannot be read is why the release fails, and no reason not to show it.
      if (isWeirError(error)) return new Map()
      throw error
    }
  }
}
