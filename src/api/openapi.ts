import * as z from 'zod'
import { CONTRACT, type RouteSchemas } from '../../packages/client/src/contract.ts'
import { ROUTES, type RouteEntry, type RouteId } from '../../packages/client/src/routes.ts'
import { problem } from '../../packages/client/src/schemas/system.ts'

type Json = Record<string, unknown>

/**
 * The API as OpenAPI 3.1, made from the contract that checks the requests: it cannot say anything else than what is done.
 *
 * @example openapi('0.1.0').paths['/api/v1/apps'].get.operationId // 'apps.list'
 */
export function openapi(version: string): Json {
  const schemas = new Schemas()
  const paths: Record<string, Record<string, Json>> = {}
  for (const [id, entry] of Object.entries(ROUTES) as [RouteId, RouteEntry][]) {
    const item = (paths[entry.path] ??= {})
    item[entry.method.toLowerCase()] = operation(id, entry, CONTRACT[id], schemas)
  }
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: { title: 'Weir', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }, description: ABOUT },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      responses: {
        Problem: { description: 'What went wrong, in five parts.', content: { 'application/problem+json': { schema: schemas.of(problem, 'output') } } },
      },
      schemas: schemas.all(),
    },
  }
}

const ABOUT =
  'Everything that `weir` and the dashboard do. Mutating calls take an `Idempotency-Key`; lists take `limit` and `cursor`; the header `Weir-Tenant` says which tenant is meant, where a token has several.'

function operation(id: RouteId, entry: RouteEntry, { params, query, body, response }: RouteSchemas, schemas: Schemas): Json {
  const parameters = [...parametersIn('path', params, schemas), ...parametersIn('query', query, schemas), ...headersOf(entry)]
  const requestBody =
    entry.stream === 'upload'
      ? { required: true, content: { 'application/x-tar': { schema: { type: 'string', contentMediaType: 'application/x-tar' } } } }
      : body && { required: !body.safeParse({}).success, content: { 'application/json': { schema: schemas.of(body, 'input') } } }
  return {
    operationId: id,
    tags: [id.split('.')[0]],
    summary: entry.summary,
    'x-verb': entry.verb,
    ...(entry.verb === 'public' ? { security: [] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(requestBody ? { requestBody } : {}),
    responses: {
      [entry.stream === 'upgrade' ? 101 : entry.status]: {
        description: answerOf(entry),
        ...(entry.stream === 'upgrade' ? {} : { content: { [mediaOf(entry)]: { schema: schemas.of(response, 'output') } } }),
      },
      default: { $ref: '#/components/responses/Problem' },
    },
  }
}

function parametersIn(where: 'path' | 'query', object: z.ZodObject | undefined, schemas: Schemas): Json[] {
  return Object.entries(object?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: where,
    required: where === 'path' || !(schema as z.ZodType).safeParse(undefined).success,
    schema: schemas.of(schema as z.ZodType, 'input'),
  }))
}

function headersOf(entry: RouteEntry): Json[] {
  const text = (name: string, description: string) => ({ name, in: 'header', required: false, description, schema: { type: 'string', maxLength: 200 } })
  return [
    ...(entry.verb === 'public' ? [] : [text('Weir-Tenant', 'The tenant that the request is about.')]),
    ...(entry.retry === 'key' ? [text('Idempotency-Key', 'The same key gives the same answer for a day.')] : []),
    ...(entry.stream === 'sse' ? [text('Last-Event-ID', 'Go on behind this event.')] : []),
  ]
}

function mediaOf({ stream }: RouteEntry): string {
  return stream === 'sse' ? 'text/event-stream' : stream === 'text' ? 'text/plain' : 'application/json'
}

function answerOf({ status, stream }: RouteEntry): string {
  if (stream === 'sse') return 'Events until the event `end`; the schema is that of one event.'
  if (stream === 'upgrade') return 'The connection is now the stream.'
  return status === 202 ? 'Accepted and stored; it is done in the background.' : status === 201 ? 'Made.' : 'Done.'
}

/** Turns zod's schemas into JSON Schema; what has a name of its own stands once, under components. */
class Schemas {
  readonly #named: Json = {}

  of(schema: z.ZodType, io: 'input' | 'output'): Json {
    const { $schema: _, $defs, ...json } = z.toJSONSchema(schema, { io, override: bare }) as Json
    for (const [name, definition] of Object.entries((rewritten($defs) ?? {}) as Json)) this.#named[name] = definition
    const { id, ...rest } = rewritten(json) as Json
    if (typeof id !== 'string') return rest
    this.#named[id] = rest
    return { $ref: `#/components/schemas/${id}` }
  }

  all(): Json {
    return Object.fromEntries(Object.entries(this.#named).sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

/** Bounds that every JavaScript integer has, and the pattern that `format: date-time` means, tell a reader nothing. */
function bare({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  if (jsonSchema.format === 'date-time') delete jsonSchema.pattern
}

function rewritten(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(rewritten)
  if (typeof json !== 'object' || json === null) return json
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [
      key,
      key === '$ref' && typeof value === 'string' ? value.replace('#/$defs/', '#/components/schemas/') : rewritten(value),
    ]),
  )
}
