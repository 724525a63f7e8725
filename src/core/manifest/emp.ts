import * as z from 'zod'
import { literal } from '../model/expand.ts'
import { kindOf } from './leaves.ts'
import type { Problem } from './problems.ts'
import { parseDuration, parsePercent, parseRate } from './quantity.ts'
import type { Path, Tree, TreeEntry } from './tree.ts'
import { find, formatPath, keyPlaceOf, mapTree, placeOf, treeOf, valueOf } from './tree.ts'

export type SourceHint = { readonly kind: 'repository'; readonly url: string } | { readonly kind: 'folder'; readonly path: string }

const text = z.union([z.string(), z.number(), z.boolean()])
const schema = z.strictObject({
  name: z.string(),
  docker_image: z.string(),
  stateless: z.union([z.boolean(), z.enum(['true', 'false'])]).optional(),
  port: z.union([z.int(), z.string().regex(/^\d+$/)]).optional(),
  envs: z.array(z.strictObject({ name: z.string(), value: text })).optional(),
  quality_metrics: z.array(z.strictObject({ metric: z.string(), values: z.unknown() })).optional(),
})

export function isEmp(tree: Tree): boolean {
  return tree.kind === 'map' && tree.entries.has('docker_image')
}

/**
 * EMP's own format, one app a file: `{"name", "docker_image", "stateless", "port", "envs", "quality_metrics"}`.
 * Where no images run, `docker_image` names a repository, or a folder beside the file. `"stateless": "false"` keeps `/data` in a volume.
 */
export function translateEmp(
  tree: Tree,
  listing: readonly string[],
): { readonly tree: Tree | null; readonly sourceHint: SourceHint | null; readonly problems: readonly Problem[] } {
  const parsed = schema.safeParse(valueOf(tree))
  const problems: Problem[] = []
  const problem = (path: Path, message: string, hint: string | null, place = placeOf(tree, path)) =>
    problems.push({ ...place, code: 'E_MANIFEST', path: formatPath(path), message, hint })
  for (const issue of parsed.error?.issues ?? []) {
    const path = issue.path as Path
    const here = find(tree, path)
    if (issue.code === 'unrecognized_keys')
      for (const key of issue.keys)
        problem(
          [...path, key],
          `unknown key \`${key}\``,
          'EMP knows name, docker_image, stateless, port, envs, quality_metrics',
          keyPlaceOf(tree, [...path, key]),
        )
    else
      problem(
        path,
        here ? `expected what EMP has here, got ${kindOf(valueOf(here))}` : `\`${String(path.at(-1))}\` is missing`,
        EXAMPLES[String(path[0])] ?? null,
      )
  }
  if (!parsed.success) return { tree: null, sourceHint: null, problems }
  const { docker_image: image, stateless, port, envs = [], quality_metrics: metrics = [] } = parsed.data
  const place = tree.place
  const at = (path: Path) => placeOf(tree, path)
  const sourceHint = sourceOf(image, listing)
  if (!sourceHint)
    problems.push({
      ...at(['docker_image']),
      code: 'E_UNSUPPORTED',
      path: 'docker_image',
      message: 'not yet supported: images, because no containers run on this machine',
      hint: 'let docker_image name a repository (https://…) or a folder (./app)',
    })
  const environment = new Map<string, TreeEntry>()
  for (const [index, { name, value }] of envs.entries()) {
    if (environment.has(name)) problem(['envs', index, 'name'], `\`${name}\` is here twice`, 'keep one of them')
    // EMP's values are plain text: a `$` in them is no variable.
    if (name !== 'PORT') environment.set(name, { key: at(['envs', index, 'name']), tree: treeOf(at(['envs', index, 'value']), literal(String(value))) })
  }
  const slo: Record<string, Tree> = {}
  for (const [index, { metric, values }] of metrics.entries()) {
    const goal = goalOf(metric, values)
    if (typeof goal === 'string')
      problem(
        ['quality_metrics', index],
        goal,
        'metrics are latency, latency_p50, latency_p95, latency_p99 (ms), availability (%), throughput (requests a second)',
      )
    else slo[goal.key] = treeOf(at(['quality_metrics', index, 'values']), goal.text)
  }
  const keeps = stateless === false || stateless === 'false'
  const service = mapTree(place, {
    build: treeOf(at(['docker_image']), '.'),
    ports: treeOf(at(['port']), { http: Number(port ?? 8080) }),
    environment: { kind: 'map', place, entries: environment },
    slo: Object.keys(slo).length > 0 ? mapTree(place, slo) : null,
    volumes: keeps ? treeOf(at(['stateless']), [{ resource: 'data', path: '/data' }]) : null,
  })
  return {
    tree: mapTree(place, {
      version: treeOf(place, 1),
      app: treeOf(at(['name']), parsed.data.name),
      services: mapTree(place, { web: service }),
      resources: keeps ? treeOf(at(['stateless']), { data: { type: 'volume' } }) : null,
    }),
    sourceHint,
    problems,
  }
}

const EXAMPLES: Readonly<Record<string, string>> = {
  name: 'write "name": "shop"',
  docker_image: 'write "docker_image": "https://…" (a repository) or "./app" (a folder)',
  stateless: 'write "stateless": "true" or "false"',
  port: 'write "port": "8080"',
  envs: 'write "envs": [{ "name": "MODE", "value": "fast" }]',
  quality_metrics: 'write "quality_metrics": [{ "metric": "latency_p95", "values": "250ms" }]',
}

function sourceOf(image: string, listing: readonly string[]): SourceHint | null {
  if (/^(https|ssh|file):\/\/\S+$/.test(image) || /^[\w.-]+@[\w.-]+:\S+$/.test(image)) return { kind: 'repository', url: image }
  if (/^\.{0,2}\//.test(image) || image === '.' || listing.includes(`${image.replace(/\/$/, '')}/`)) return { kind: 'folder', path: image }
  return null
}

const METRICS: Readonly<Record<string, 'latency_p50' | 'latency_p95' | 'latency_p99' | 'availability' | 'throughput'>> = {
  latency: 'latency_p95',
  responsetime: 'latency_p95',
  latencyp50: 'latency_p50',
  latencyp95: 'latency_p95',
  latencyp99: 'latency_p99',
  availability: 'availability',
  throughput: 'throughput',
}

/** `values` is one value or a list of one; bare numbers are in EMP's units: milliseconds, percent, requests a second. */
function goalOf(metric: string, values: unknown): { key: (typeof METRICS)[string]; text: string } | string {
  const name = metric.toLowerCase().replace(/[^a-z0-9]/g, '')
  const key = Object.hasOwn(METRICS, name) ? METRICS[name]! : null
  if (!key) return `unknown metric ${JSON.stringify(metric)}`
  const value: unknown = Array.isArray(values) && values.length === 1 ? values[0] : values
  if (typeof value !== 'string' && typeof value !== 'number') return `\`values\` of ${metric} is not one value but ${kindOf(value)}`
  const bare = /^\d+(\.\d+)?$/.test(String(value))
  const unit = key === 'availability' ? '%' : key === 'throughput' ? '/s' : 'ms'
  const text = bare ? `${value}${unit}` : String(value)
  const read = key === 'availability' ? parsePercent : key === 'throughput' ? parseRate : parseDuration
  return read(text) === null ? `\`values\` of ${metric} is not understood: ${kindOf(value)}` : { key, text }
}
