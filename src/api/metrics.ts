import { AppMetrics } from './app-metrics.ts'

/** Counts of the API itself, as Prometheus reads them. */
export class Metrics {
  readonly apps = new AppMetrics()
  readonly #requests = new Map<string, { count: number; seconds: number }>()
  readonly #openStreams: () => number

  constructor(openStreams: () => number) {
    this.#openStreams = openStreams
  }

  /** `route`: an id of the contract, so that their number is bounded. */
  observe(route: string, status: number, ms: number): void {
    const key = `route="${route}",status="${Math.floor(status / 100)}xx"`
    const seen = this.#requests.get(key) ?? { count: 0, seconds: 0 }
    this.#requests.set(key, { count: seen.count + 1, seconds: seen.seconds + ms / 1000 })
  }

  text(): string {
    const rows = [...this.#requests].sort(([a], [b]) => (a < b ? -1 : 1))
    return [
      '# HELP weir_api_requests_total Requests answered by the API.',
      '# TYPE weir_api_requests_total counter',
      ...rows.map(([labels, { count }]) => `weir_api_requests_total{${labels}} ${count}`),
      '# HELP weir_api_request_seconds_total Time spent on them.',
      '# TYPE weir_api_request_seconds_total counter',
      ...rows.map(([labels, { seconds }]) => `weir_api_request_seconds_total{${labels}} ${seconds.toFixed(6)}`),
      '# HELP weir_api_streams Event streams that are open.',
      '# TYPE weir_api_streams gauge',
      `weir_api_streams ${this.#openStreams()}`,
      '# HELP process_resident_memory_bytes Memory of the server process.',
      '# TYPE process_resident_memory_bytes gauge',
      `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
      '',
    ].join('\n')
  }
}
