/** The dashboards in infra/grafana: rows of panels from a list, so that all panels look alike. `npm run generate` writes them. */

interface Panel {
  readonly title: string
  readonly unit: 'reqps' | 'percentunit' | 's' | 'bytes' | 'short' | 'none'
  /** Expression and legend. */
  readonly queries: readonly (readonly [expression: string, legend: string])[]
}

const OF = '{app=~"$app",environment=~"$environment"}'
const APPS: readonly Panel[] = [
  { title: 'Requests', unit: 'reqps', queries: [[`weir_service_requests_per_second${OF}`, '{{app}} {{service}}']] },
  { title: 'Errors', unit: 'percentunit', queries: [[`weir_service_error_ratio${OF}`, '{{app}} {{service}}']] },
  {
    title: 'Latency, p95',
    unit: 's',
    queries: [[`weir_service_latency_seconds{quantile="0.95",app=~"$app",environment=~"$environment"}`, '{{app}} {{service}}']],
  },
  { title: 'Rejected with 4xx', unit: 'percentunit', queries: [[`weir_service_rejected_ratio${OF}`, '{{app}} {{service}}']] },
  {
    title: 'Error budgets: burn in an hour',
    unit: 'short',
    queries: [[`weir_objective_burn_rate{window="1h",app=~"$app",environment=~"$environment"}`, '{{app}} {{service}} {{objective}} {{source}}']],
  },
  {
    title: 'Objectives: what is and what is wanted',
    unit: 'short',
    queries: [
      [`weir_objective_actual${OF}`, '{{service}} {{objective}} {{source}}'],
      [`weir_objective_target${OF}`, '{{service}} {{objective}}, wanted'],
    ],
  },
  {
    title: 'Probes: 1 is answered as expected',
    unit: 'none',
    queries: [[`weir_probe_success${OF}`, '{{app}} {{service}} {{probe}}']],
  },
  { title: 'Probes: time to the answer', unit: 's', queries: [[`weir_probe_duration_seconds${OF}`, '{{app}} {{service}} {{probe}}']] },
  { title: 'What services count themselves', unit: 'short', queries: [[`weir_metric_value${OF}`, '{{service}} {{metric}} {{replica}}']] },
  { title: 'Processors', unit: 'short', queries: [[`sum by (app, service) (rate(weir_replica_cpu_seconds_total${OF}[5m]))`, '{{app}} {{service}}']] },
  { title: 'Memory', unit: 'bytes', queries: [[`weir_replica_memory_bytes${OF}`, '{{replica}}']] },
  {
    title: 'Replicas',
    unit: 'none',
    queries: [
      [`weir_service_replicas_ready${OF}`, '{{app}} {{service}}'],
      [`weir_service_replicas_wanted${OF}`, '{{app}} {{service}}, wanted'],
    ],
  },
  { title: 'Release', unit: 'none', queries: [[`weir_environment_release${OF}`, '{{app}} {{environment}}']] },
]
const PLATFORM: readonly Panel[] = [
  { title: 'API requests', unit: 'reqps', queries: [['sum by (status) (rate(weir_api_requests_total[5m]))', '{{status}}']] },
  { title: 'API, mean time', unit: 's', queries: [['sum(rate(weir_api_request_seconds_total[5m])) / sum(rate(weir_api_requests_total[5m]))', 'all']] },
  { title: 'Spans taken in', unit: 'short', queries: [['rate(weir_telemetry_spans_total[5m])', 'a second']] },
  { title: 'Spans lost, by cause', unit: 'short', queries: [['sum by (cause) (rate(weir_telemetry_lost_total[5m]))', '{{cause}}']] },
  {
    title: 'Memory',
    unit: 'bytes',
    queries: [
      ['process_resident_memory_bytes{job="weir-platform"}', 'server'],
      ['weir_telemetry_memory_bytes', 'telemetry'],
    ],
  },
  {
    title: 'Telemetry answers, and is kept',
    unit: 'none',
    queries: [
      ['weir_telemetry_up', 'answers'],
      ['weir_telemetry_storage_up', 'is kept'],
    ],
  },
]

export const DASHBOARDS: Readonly<Record<string, string>> = {
  'infra/grafana/apps.json': dashboard('weir-apps', 'Weir: apps', APPS, ['app', 'environment']),
  'infra/grafana/platform.json': dashboard('weir-platform', 'Weir: platform', PLATFORM, []),
}

/** Two panels a row, in Grafana's grid of 24 columns. The data source is chosen when it is imported. */
function dashboard(uid: string, title: string, panels: readonly Panel[], variables: readonly string[]): string {
  const datasource = { type: 'prometheus', uid: '${datasource}' }
  return `${JSON.stringify(
    {
      uid,
      title,
      tags: ['weir'],
      schemaVersion: 39,
      timezone: 'browser',
      refresh: '30s',
      time: { from: 'now-3h', to: 'now' },
      templating: {
        list: [
          { name: 'datasource', type: 'datasource', query: 'prometheus' },
          ...variables.map((name) => ({
            name,
            type: 'query',
            datasource,
            query: `label_values(weir_environment_release, ${name})`,
            refresh: 2,
            includeAll: true,
            multi: true,
            current: { text: 'All', value: '$__all' },
          })),
        ],
      },
      panels: panels.map((panel, at) => ({
        id: at + 1,
        type: 'timeseries',
        title: panel.title,
        datasource,
        gridPos: { h: 8, w: 12, x: 12 * (at % 2), y: 8 * Math.floor(at / 2) },
        fieldConfig: { defaults: { unit: panel.unit, min: 0 }, overrides: [] },
        targets: panel.queries.map(([expr, legendFormat], n) => ({ refId: String.fromCharCode(65 + n), datasource, expr, legendFormat })),
      })),
    },
    null,
    2,
  )}\n`
}
