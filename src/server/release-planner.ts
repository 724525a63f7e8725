import type { Planner } from '../api/ports.ts'
import { buildsOf, type DraftPorts, draft, manifestOf } from '../controllers/draft.ts'
import { preview } from '../controllers/preview.ts'
import { fingerprintsOf } from '../controllers/release.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Configuration, Release, SourceRef } from '../core/model/release.ts'
import { planFor } from '../core/plan/plan.ts'
import { WeirError } from '../errors.ts'
import type { EnvironmentRef, Queries } from '../store/queries.ts'
import type { NewRelease } from '../store/writes.ts'

interface PlannerPorts extends DraftPorts {
  readonly queries: Queries
  /** null: another server leads. */
  readonly epoch: () => Epoch | null
}

/** What a deploy would do, against the release that serves now and the configuration that is staged now. */
export class ReleasePlanner implements Planner {
  readonly #ports: PlannerPorts

  constructor(ports: PlannerPorts) {
    this.#ports = ports
  }

  async appOf(tenant: string, source: Extract<SourceRef, { kind: 'git' }>, otherwise: string): Promise<string> {
    const { manifest } = await manifestOf(this.#ports.source, { tenant, app: otherwise, source, manifest: null })
    return manifest.app
  }

  async plan(ref: EnvironmentRef, { source, manifest, forward = false }: NewRelease): ReturnType<Planner['plan']> {
    const [base, configuration] = await Promise.all([this.#serving(ref), this.#staged(ref)])
    if (source.kind !== 'release') return preview(this.#ports, { ...ref, source, manifest, base, configuration, forward })
    const again = await this.#release(ref, source.number)
    const fingerprints = fingerprintsOf(again.graph, again.artifacts, { configuration })
    return { ...planFor(base, { ...again, number: (base?.number ?? again.number) + 1, configuration, fingerprints }, { forward }), notes: [] }
  }

  async verify(ref: EnvironmentRef, { source, manifest }: Omit<NewRelease, 'whenBusy'>, service: string | null): ReturnType<Planner['verify']> {
    if (source.kind === 'release') throw new WeirError('E_USAGE', { message: 'an earlier release is not built again', next: 'weir build --verify DIR' })
    const epoch = this.#ports.epoch()
    if (epoch === null) {
      throw new WeirError('E_UNAVAILABLE', { message: 'only the server that leads builds', cause: 'another server leads now', next: 'ask that server' })
    }
    const drafted = await draft(this.#ports, { ...ref, source, manifest })
    const builds = buildsOf(ref, drafted).filter((it) => service === null || it.service === service)
    if (builds.length === 0) throw new WeirError('E_NOT_FOUND', { message: service === null ? 'nothing is built here' : `no service ${service} is built here` })
    const results: { service: string; differs: readonly string[] }[] = []
    for (const build of builds) results.push({ service: build.service, differs: await this.#ports.builder.verify(build, epoch) })
    return results
  }

  async #serving(ref: EnvironmentRef): Promise<Release | null> {
    const environment = await this.#ports.queries.environment(ref)
    return environment?.current == null ? null : this.#release(ref, environment.current)
  }

  async #release(ref: EnvironmentRef, number: number): Promise<Release> {
    const detail = await this.#ports.queries.release(ref, number)
    if (!detail?.graph) throw new WeirError('E_NOT_FOUND', { message: `there is no release v${number}`, next: 'weir releases' })
    const { graph, artifacts, configuration, source, fingerprints } = detail
    return { number, graph, artifacts, configuration, source, fingerprints }
  }

  async #staged(ref: EnvironmentRef): Promise<Configuration> {
    const staged = await this.#ports.queries.configuration(ref)
    return { environment: staged?.environment ?? {}, secrets: Object.fromEntries((staged?.secrets ?? []).map((it) => [it.name, it.version])) }
  }
}
