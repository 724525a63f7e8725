import type * as z from 'zod'
import type { Contract } from './contract.ts'
import type { RouteId } from './routes.ts'

type Part<Id extends RouteId, Name extends string> = Contract[Id] extends Record<Name, infer Schema extends z.ZodType> ? Schema : never
type Optional<T> = Record<never, never> extends T ? { [Key in never]: never } : never

/** What the caller of a route gives: `{ params, query, body }`, each only where the route has it, optional where all of it has defaults. */
export type RequestOf<Id extends RouteId> = Given<Id, 'params'> & Given<Id, 'query'> & Given<Id, 'body'>
type Given<Id extends RouteId, Name extends 'params' | 'query' | 'body'> = [Part<Id, Name>] extends [never]
  ? unknown
  : Optional<z.input<Part<Id, Name>>> extends never
    ? { readonly [K in Name]: z.input<Part<Id, Name>> }
    : { readonly [K in Name]?: z.input<Part<Id, Name>> }

/** What the server has in hand after the check: defaults filled in, numbers as numbers. */
export type CheckedOf<Id extends RouteId, Name extends 'params' | 'query' | 'body'> = [Part<Id, Name>] extends [never] ? undefined : z.output<Part<Id, Name>>

export type ResponseOf<Id extends RouteId> = z.output<Contract[Id]['response']>

export type App = ResponseOf<'apps.show'>
export type Environment = ResponseOf<'environments.show'>
export type EnvironmentSummary = ResponseOf<'environments.list'>['items'][number]
export type ServiceView = Environment['services'][number]
export type ReplicaView = Environment['replicas'][number]
export type ReleaseSummary = ResponseOf<'releases.create'>
export type ReleaseView = ResponseOf<'releases.show'>
export type ReleaseDiff = ResponseOf<'releases.diff'>
export type RolloutView = ResponseOf<'rollouts.show'>
export type EvidenceView = ResponseOf<'rollouts.evidence'>
export type TrialView = ResponseOf<'trials.list'>['items'][number]
export type PlanView = ResponseOf<'plan.create'>
export type ReleaseRequest = RequestOf<'releases.create'>['body']
export type CommandView = ResponseOf<'commands.show'>
export type TaskView = ResponseOf<'tasks.show'>
export type LogLine = ResponseOf<'logs.list'>['items'][number]
export type EventView = ResponseOf<'events.list'>['items'][number]
export type ServiceGraph = ResponseOf<'graph.show'>
export type LogRecord = ResponseOf<'logs.search'>['items'][number]
export type IndicatorView = ResponseOf<'indicators.show'>['items'][number]
export type ObjectiveView = ResponseOf<'objectives.show'>['items'][number]
export type Why = ResponseOf<'why.show'>
export type Trace = ResponseOf<'traces.show'>
export type Whoami = ResponseOf<'identity.whoami'>
export type Variables = ResponseOf<'variables.show'>
