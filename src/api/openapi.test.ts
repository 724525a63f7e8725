import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROUTES, type RouteEntry } from '../../packages/client/src/routes.ts'
import { openapi } from './openapi.ts'

const ROOT = join(import.meta.dirname, '../..')
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
const document = JSON.parse(JSON.stringify(openapi(version))) as Document

interface Document {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>>; readonly responses: Readonly<Record<string, unknown>> }
}
interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean; readonly schema: object }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> }
  readonly responses: Readonly<Record<string, { readonly description?: string; readonly $ref?: string }>>
}

test('docs/reference/openapi.json is what the contract says; `node scripts/generate-openapi.ts` writes it', () => {
  assert.deepEqual(JSON.parse(readFileSync(join(ROOT, 'docs/reference/openapi.json'), 'utf8')), document)
})

test('every route of the contract is an operation, and nothing else is', () => {
  const listed = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { operationId }]) => `${operationId} ${method} ${path}`),
  )
  const routes = (Object.entries(ROUTES) as [string, RouteEntry][]).map(([id, { method, path }]) => `${id} ${method.toLowerCase()} ${path}`)
  assert.deepEqual(listed.sort(), routes.sort())
})

test('it has the form of an OpenAPI 3.1 document', () => {
  assert.equal(document.openapi, '3.1.0')
  assert.ok(document.info.title && document.info.version)
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const at = `${method} ${path}`
      assert.ok(operation.summary, at)
      const inPath = (operation.parameters ?? []).filter((it) => it.in === 'path')
      assert.deepEqual(inPath.map((it) => it.name).sort(), [...path.matchAll(/\{(\w+)\}/g)].map((it) => it[1]).sort(), at)
      assert.ok(
        inPath.every((it) => it.required),
        at,
      )
      assert.ok(
        (operation.parameters ?? []).every((it) => it.schema),
        at,
      )
      assert.ok(!(method === 'get' && operation.requestBody), at)
      const statuses = Object.keys(operation.responses)
      assert.ok(statuses.every((it) => it === 'default' || /^[1-5]\d\d$/.test(it)) && statuses.length === 2, at)
      for (const answer of Object.values(operation.responses)) assert.ok(answer.description ?? answer.$ref, at)
    }
  }
})

test('every reference leads to something, and nothing named is left unused', () => {
  const references = new Set<string>()
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk)
    else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        if (key === '$ref') references.add(String(inner))
        assert.notEqual(key, '$defs')
        walk(inner)
      }
    }
  }
  walk(document)
  for (const reference of references) {
    const [part, name] = reference.replace('#/components/', '').split('/') as ['schemas' | 'responses', string]
    assert.ok(document.components[part][name], reference)
  }
  assert.deepEqual(
    Object.keys(document.components.schemas).filter((name) => !references.has(`#/components/schemas/${name}`)),
    [],
  )
})

test('lists have a limit with a bound, and mutating calls take a key', () => {
  for (const item of Object.values(document.paths)) {
    for (const [method, { operationId, parameters = [] }] of Object.entries(item)) {
      const route: RouteEntry = ROUTES[operationId as keyof typeof ROUTES]
      if (operationId.endsWith('.list')) {
        const limit = parameters.find((it) => it.name === 'limit')?.schema as { maximum?: number } | undefined
        assert.ok(limit?.maximum !== undefined && limit.maximum <= 5000, operationId)
        assert.ok(
          parameters.some((it) => it.name === 'cursor'),
          operationId,
        )
      }
      if (method !== 'get')
        assert.equal(
          parameters.some((it) => it.name === 'Idempotency-Key'),
          route.retry === 'key',
          operationId,
        )
    }
  }
})
