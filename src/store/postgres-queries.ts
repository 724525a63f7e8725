import type { Reach } from '../reach.ts'
import type { Database } from './database.ts'
import { readProbes } from './probes.ts'
import type { EnvironmentRef, EventFilter, IndicatorsRequest, PageRequest, Queries, UsageRequest } from './queries.ts'
import { readAccounts, readConfiguration, readCredentials, readFollows, readMembers, readTenants, readTokens } from './read-administration.ts'
import { readApps, readEnvironment, readEnvironments } from './read-environments.ts'
import {
  readAudit,
  readCommand,
  readEvents,
  readLastEvent,
  readNewestEvents,
  readOperations,
  readRelease,
  readReleases,
  readRollout,
  readRollouts,
  readTraffic,
} from './read-history.ts'
import { readIndicators } from './read-indicators.ts'
import { readEvidence, readLook, readTrials } from './read-judging.ts'
import { readDeliveries, readNotifyTarget, readNotifyTargets } from './read-notifications.ts'
import { readUsage } from './replica-usage.ts'

/** Reading for people, on PostgreSQL. See `Queries`. */
export class PostgresQueries implements Queries {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  apps(tenant: string, page: PageRequest) {
    return readApps(this.#database, tenant, page)
  }
  environments(tenant: string, app: string) {
    return readEnvironments(this.#database, tenant, app)
  }
  environment(ref: EnvironmentRef) {
    return readEnvironment(this.#database, ref)
  }
  everyEnvironment() {
    return this.#database.rows<EnvironmentRef & { id: string }>('select id, tenant, app, name as environment from environments order by number')
  }
  releases(ref: EnvironmentRef, page: PageRequest) {
    return readReleases(this.#database, ref, page)
  }
  release(ref: EnvironmentRef, number: number) {
    return readRelease(this.#database, ref, number)
  }
  rollouts(ref: EnvironmentRef, page: PageRequest) {
    return readRollouts(this.#database, ref, page)
  }
  rollout(ref: EnvironmentRef, id: string) {
    return readRollout(this.#database, ref, id)
  }
  look(ref: EnvironmentRef, rollout: string) {
    return readLook(this.#database, ref, rollout)
  }
  evidence(ref: EnvironmentRef, rollout: string, after: number) {
    return readEvidence(this.#database, ref, rollout, after)
  }
  trials(ref: EnvironmentRef, page: PageRequest) {
    return readTrials(this.#database, ref, page)
  }
  operations(ref: EnvironmentRef, page: PageRequest) {
    return readOperations(this.#database, ref, page)
  }
  command(ref: EnvironmentRef, id: number) {
    return readCommand(this.#database, ref, id)
  }
  newestEvents(filter: EventFilter, page: PageRequest) {
    return readNewestEvents(this.#database, filter, page)
  }
  events(filter: EventFilter, after: number, limit: number) {
    return readEvents(this.#database, filter, after, limit)
  }
  lastEvent() {
    return readLastEvent(this.#database)
  }
  audit(tenant: string | null, page: PageRequest) {
    return readAudit(this.#database, tenant, page)
  }
  configuration(ref: EnvironmentRef) {
    return readConfiguration(this.#database, ref)
  }
  follows(ref: EnvironmentRef) {
    return readFollows(this.#database, ref)
  }
  credentials(tenant: string, page: PageRequest) {
    return readCredentials(this.#database, tenant, page)
  }
  notifyTargets(tenant: string, page: PageRequest) {
    return readNotifyTargets(this.#database, tenant, page)
  }
  notifyTarget(tenant: string, id: number) {
    return readNotifyTarget(this.#database, tenant, id)
  }
  deliveries(tenant: string, target: number, page: PageRequest) {
    return readDeliveries(this.#database, tenant, target, page)
  }
  async notifyReach(): Promise<Reach> {
    const [row] = await this.#database.rows<{ reach: Reach }>('select notify_reach as reach from settings')
    return row?.reach ?? 'internet'
  }
  traffic(ref: EnvironmentRef, sinceMs: number) {
    return readTraffic(this.#database, ref, sinceMs)
  }
  indicators(ref: EnvironmentRef, request: IndicatorsRequest) {
    return readIndicators(this.#database, ref, request)
  }
  probes(ref: EnvironmentRef, windowMs: number) {
    return readProbes(this.#database, ref, windowMs)
  }
  usage(ref: EnvironmentRef, request: UsageRequest) {
    return readUsage(this.#database, ref, request)
  }
  tokens(tenant: string, page: PageRequest) {
    return readTokens(this.#database, tenant, page)
  }
  members(tenant: string, page: PageRequest) {
    return readMembers(this.#database, tenant, page)
  }
  accounts(page: PageRequest) {
    return readAccounts(this.#database, page)
  }
  tenants(page: PageRequest) {
    return readTenants(this.#database, page)
  }

  async registrationOpen(): Promise<boolean> {
    const [row] = await this.#database.rows<{ open: boolean }>('select registration_open as open from settings')
    return row?.open ?? false
  }

  async health() {
    const [row] = await this.#database.rows<{ schema: number; epoch: number; holder: string | null }>(
      'select s.version as schema, l.epoch, l.holder from schema_version s, lease l',
    )
    return row ?? { schema: 0, epoch: 0, holder: null }
  }
}
