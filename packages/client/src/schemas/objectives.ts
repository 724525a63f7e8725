import * as z from 'zod'
import { environmentPath, MAX_LIMIT, name, number } from './common.ts'

const share = z.number().nullable().meta({ description: '0 … 1; null: nothing was asked of it.' })
const ms = z.number().nullable()
const indicator = z
  .object({
    service: z.string(),
    release: z.int().nullable().meta({ description: 'null: all of them.' }),
    route: z.string().nullable().meta({ description: 'null: all of them.' }),
    probe: z.string().nullable().meta({ description: 'The declared request that was made; null: what others asked is counted.' }),
    source: z.enum(['gateway', 'traces', 'probes']).meta({ description: 'traces: of a service that takes its work from elsewhere than the gateway.' }),
    requests: z.number(),
    throughput: z.number().meta({ description: 'Requests a second.' }),
    errorShare: share,
    rejected4xxShare: share,
    availability: share,
    p50Ms: ms,
    p95Ms: ms,
    p99Ms: ms,
    cpu: z
      .number()
      .nullable()
      .meta({ description: 'Processor seconds a second and replica, in the mean; null: not known, or not asked by service or release.' }),
    memoryBytes: z.number().nullable().meta({ description: 'Of a replica, in the mean.' }),
    memoryPeakBytes: z.number().nullable().meta({ description: 'Most that one replica had.' }),
  })
  .meta({ id: 'Indicator' })

const usage = z
  .object({
    replica: z.string(),
    service: z.string(),
    release: z.int(),
    cpuSeconds: z.number().meta({ description: 'Time on processors since it was started.' }),
    memoryBytes: z.number(),
    cpuLimit: z.number(),
    memoryLimitBytes: z.number(),
  })
  .meta({ id: 'Usage' })

const objectiveName = z.enum(['latencyP50', 'latencyP95', 'latencyP99', 'availability', 'throughput'])
const burn = z.number().nullable()
const objective = z
  .object({
    service: z.string(),
    objective: objectiveName,
    target: z.number().meta({ description: 'Latencies in milliseconds, availability 0 … 1, throughput in requests a second.' }),
    setBy: z.enum(['manifest', 'hand']),
    source: z
      .enum(['gateway', 'traces', 'probes'])
      .meta({ description: 'What it was counted from. probes: availability a second time, by the service’s declared requests alone.' }),
    actual: z.number().nullable().meta({ description: 'The same over the last hour.' }),
    met: z.boolean().nullable().meta({ description: 'null: not known.' }),
    burn: z
      .object({ short: burn, medium: burn, long: burn, longest: burn })
      .meta({ description: 'How fast the error budget goes, in the last 5 and 30 minutes, hour and 6 hours; 1 uses it up exactly.' }),
    alarm: z.enum(['fast', 'slow']).nullable().meta({ description: 'fast: over 14.4 in 5 minutes and in an hour; slow: over 6 in 30 minutes and in 6 hours.' }),
  })
  .meta({ id: 'ObjectiveStatus' })
const latency = z.number().min(1).max(3_600_000).nullable().optional()

export const objectives = {
  'indicators.show': {
    params: environmentPath,
    query: z.strictObject({
      by: z.enum(['service', 'release', 'route', 'probe']).default('service'),
      minutes: number(1, 360).default(5),
      service: name.optional(),
      limit: number(1, MAX_LIMIT).default(100),
    }),
    response: z.object({
      minutes: z.int(),
      items: z.array(indicator),
      missing: z.enum(['traces']).nullable().meta({ description: 'What could not be asked.' }),
    }),
  },
  'metrics.show': { response: z.string() },
  'usage.show': { params: environmentPath, response: z.object({ items: z.array(usage) }) },
  'objectives.show': { params: environmentPath, response: z.object({ items: z.array(objective) }) },
  'objectives.set': {
    params: environmentPath.extend({ service: name }),
    body: z
      .strictObject({
        latencyP50: latency,
        latencyP95: latency,
        latencyP99: latency,
        availability: z.number().min(0).max(1).nullable().optional(),
        throughput: z.number().positive().max(1e9).nullable().optional(),
      })
      .meta({ description: 'Latencies in milliseconds, availability 0 … 1, throughput in requests a second. What is left out stays.' }),
    response: z.object({ service: z.string(), objectives: z.partialRecord(objectiveName, z.number()) }).meta({ description: 'All that are in force now.' }),
  },
}
