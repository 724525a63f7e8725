import type { RouteId } from '../../packages/client/src/routes.ts'
import { apps } from './apps.ts'
import { commands } from './commands.ts'
import { configuration } from './configuration.ts'
import { environments } from './environments.ts'
import { errors } from './errors.ts'
import { events } from './events.ts'
import { exec } from './exec.ts'
import { history } from './history.ts'
import { identity } from './identity.ts'
import { indicators } from './indicators.ts'
import { logSearch } from './log-search.ts'
import { logs } from './logs.ts'
import { metricsPage } from './metrics-page.ts'
import { notifications } from './notifications.ts'
import { objectives } from './objectives.ts'
import { releases } from './releases.ts'
import { rollouts } from './rollouts.ts'
import type { Handlers } from './route.ts'
import { samples } from './samples.ts'
import { system } from './system.ts'
import { tasks } from './tasks.ts'
import { telemetry } from './telemetry.ts'
import { traces } from './traces.ts'

/** A handler for each route of the contract; the compiler holds that none is missing. */
export const HANDLERS: Handlers<RouteId> = {
  ...system,
  ...metricsPage,
  ...identity,
  ...apps,
  ...environments,
  ...commands,
  ...releases,
  ...rollouts,
  ...configuration,
  ...notifications,
  ...tasks,
  ...exec,
  ...logs,
  ...logSearch,
  ...events,
  ...history,
  ...telemetry,
  ...traces,
  ...errors,
  ...indicators,
  ...objectives,
  ...samples,
}
