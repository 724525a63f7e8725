import * as z from 'zod'
import { environmentPath, list, name, page, time } from './common.ts'

const argv = z.array(z.string().max(10_000)).min(1).max(100)
const id = z.string().min(1).max(100)

const exit = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('code'), code: z.int() }),
    z.object({ kind: z.literal('signal'), signal: z.string() }),
    z.object({ kind: z.literal('oom') }),
    z.object({ kind: z.literal('timeout') }),
    z.object({ kind: z.literal('unknown') }),
  ])
  .meta({ id: 'Exit' })

const task = z
  .object({
    id,
    kind: z.enum(['pre_start', 'job', 'run']),
    service: z.string(),
    name: z.string(),
    argv: z.array(z.string()),
    phase: z.enum(['waiting', 'running', 'succeeded', 'failed', 'unknown']),
    exit: exit.nullable(),
    lastLines: z.array(z.string()),
  })
  .meta({ id: 'Task' })
const taskPath = environmentPath.extend({ task: id })

export const tasks = {
  'jobs.list': {
    params: environmentPath,
    query: z.strictObject(page),
    response: list(
      z
        .object({ name: z.string(), service: z.string(), schedule: z.string(), command: z.array(z.string()), nextAt: time.nullable(), last: task.nullable() })
        .meta({ id: 'Job' }),
    ),
  },
  'jobs.run': { params: environmentPath.extend({ job: name }), response: z.object({ task: id, command: z.int() }) },
  'tasks.create': {
    params: environmentPath,
    body: z.strictObject({ service: name, argv, timeoutSeconds: z.int().min(1).max(86_400).default(3600) }),
    response: z.object({ task: id, command: z.int() }),
  },
  'tasks.show': { params: taskPath, response: task },
  'tasks.output': {
    params: taskPath,
    response: z
      .object({ stream: z.enum(['stdout', 'stderr', 'weir']), text: z.string() })
      .meta({ description: 'Event `output`, a line each, without its end; the stream ends with event `end`, then `tasks.show` knows the exit.' }),
  },
  'exec.open': {
    params: environmentPath,
    query: z.strictObject({ service: name, replica: z.string().max(150).optional().meta({ description: 'Default: any ready one.' }) }),
    response: z.object({ exit }).meta({
      description:
        '`101 Switching Protocols` to `weir-exec`: frames of one byte channel (0 stdin, 1 stdout, 2 stderr, 3 control), four bytes length (big endian), payload. The client opens with control `{"argv": […], "tty": {"columns", "rows"} | null}`; the server closes with control `{"exit": …}`.',
    }),
  },
}
