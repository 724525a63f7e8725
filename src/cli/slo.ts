import type { ObjectiveView } from '../../packages/client/src/types.ts'
import { parseDuration, parsePercent, parseRate } from '../core/manifest/quantity.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'
import { latencyText } from './output/units.ts'

/** How people write objectives: in the manifest, here, and in what is shown. */
const OBJECTIVES = {
  latency_p50: { key: 'latencyP50', read: parseDuration, example: '100ms' },
  latency_p95: { key: 'latencyP95', read: parseDuration, example: '250ms' },
  latency_p99: { key: 'latencyP99', read: parseDuration, example: '1s' },
  availability: { key: 'availability', read: parsePercent, example: '99.9%' },
  throughput: { key: 'throughput', read: parseRate, example: '200/s' },
} as const
type Name = keyof typeof OBJECTIVES
type Key = ObjectiveView['objective']

/** Services and their objectives: what is wanted, what is, and how fast the error budget goes. */
export async function status(session: Session): Promise<undefined> {
  const client = await session.client()
  const { items } = await client.call('objectives.show', { params: await session.app() })
  const service = session.text('service')
  const shown = items.filter((it) => service === undefined || it.service === service)
  const { colours } = session.terminal
  await showTable(
    session,
    shown,
    [
      { title: 'SERVICE', value: (it) => it.service },
      { title: 'OBJECTIVE', value: (it) => `${nameOf(it.objective)}${it.source === 'probes' ? ' (probes)' : ''}` },
      { title: 'TARGET', value: (it) => valueText(it.objective, it.target) },
      { title: 'LAST HOUR', value: (it) => valueText(it.objective, it.actual) },
      { title: 'MET', value: (it) => (it.met === null ? '-' : it.met ? colours.green('yes') : colours.red('no')) },
      { title: 'BURN 5M', value: (it) => burnText(it.burn.short) },
      { title: '30M', wide: true, value: (it) => burnText(it.burn.medium) },
      { title: '1H', value: (it) => burnText(it.burn.long) },
      { title: '6H', value: (it) => burnText(it.burn.longest) },
      { title: 'ALARM', value: (it) => (it.alarm === null ? '' : colours.red(it.alarm)) },
      { title: 'FROM', wide: true, value: (it) => it.source },
      { title: 'SET BY', wide: true, value: (it) => it.setBy },
    ],
    'no objectives; declare `slo` in the manifest, or weir slo set SERVICE latency_p95=250ms',
  )
}

/** In force at once, without a release. */
export async function set(session: Session): Promise<undefined> {
  const [service, ...pairs] = session.args
  if (service === undefined || pairs.length === 0) throw usage('which service, and what?', undefined, 'weir slo set web latency_p95=250ms availability=99.9%')
  await change(session, service, Object.fromEntries(pairs.map(parsed)))
}

/** Back to what the manifest says. */
export async function unset(session: Session): Promise<undefined> {
  const [service, ...names] = session.args
  if (service === undefined) throw usage('which service?', undefined, 'weir slo unset web latency_p95')
  const all = names.length === 0 ? Object.keys(OBJECTIVES) : names
  await change(session, service, Object.fromEntries(all.map((name) => [known(name).key, null])))
}

async function change(session: Session, service: string, body: Readonly<Record<string, number | null>>): Promise<void> {
  const client = await session.client()
  const answer = await client.call('objectives.set', { params: { ...(await session.app()), service }, body })
  const inForce = Object.entries(answer.objectives).map(([key, value]) => `${nameOf(key as Key)}=${valueText(key as Key, value ?? null).replaceAll(' ', '')}`)
  await session.print(answer, () => [`${service}: ${inForce.join(' ') || 'no objectives'}`])
  session.note('next  weir slo')
}

function parsed(pair: string): [Key, number] {
  const [name = '', ...rest] = pair.split('=')
  const { key, read, example } = known(name)
  const value = read(rest.join('='))
  if (value === null || value <= 0) throw usage(`${escapeControl(pair)} is no objective`, `${name} is written like ${name}=${example}`)
  return [key, value]
}

function known(name: string): (typeof OBJECTIVES)[Name] {
  if (Object.hasOwn(OBJECTIVES, name)) return OBJECTIVES[name as Name]
  throw usage(`${escapeControl(name)} is no objective`, `there are ${Object.keys(OBJECTIVES).join(', ')}`)
}

function nameOf(key: Key): string {
  return Object.entries(OBJECTIVES).find(([, it]) => it.key === key)?.[0] ?? key
}

function valueText(key: Key, value: number | null): string {
  if (value === null) return '-'
  if (key === 'availability') return `${Number((100 * value).toFixed(4))} %`
  return key === 'throughput' ? `${Number(value.toPrecision(3))}/s` : latencyText(value)
}

/** @example burnText(14.42) // '14x' */
function burnText(burn: number | null): string {
  if (burn === null) return '-'
  return burn > 999 ? '>999x' : `${burn < 10 ? burn.toFixed(1) : Math.round(burn)}x`
}
