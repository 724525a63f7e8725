export interface UnitOptions {
  readonly node: string
  /** Node's own, for the runner. */
  readonly flags: readonly string[]
  /** The runner's program and that of `weir`. */
  readonly runner: string
  readonly weir: string
  readonly home: string
  /** What Weir's processes are configured by. */
  readonly environment: Readonly<Record<string, string>>
}

export const UNIT_NAME = 'weir-runner.service'

/**
 * The one unit: systemd keeps the runner, the runner keeps server, gateway and databases, each under an account of its own.
 * KillMode=process: a new runner (an update, a crash) takes over what runs, so nothing but the runner may be killed with it.
 * ExecStartPost writes down with the runner which server is wanted, which is also how an update reaches it.
 */
export function runnerUnit({ node, flags, runner, weir, home, environment }: UnitOptions): string {
  const variables = Object.entries({ ...environment, WEIR_HOME: home }).sort(([a], [b]) => (a < b ? -1 : 1))
  return [
    '[Unit]',
    'Description=Weir: runner, and by it server, gateway, databases and apps',
    'After=network.target local-fs.target',
    `RequiresMountsFor=${quoted(home)}`,
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=exec',
    ...variables.map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`),
    `ExecStart=${command(node, ...flags, runner)}`,
    `ExecStartPost=-${command(node, weir, 'up', '--no-deploy', '--quiet')}`,
    'KillMode=process',
    'Restart=always',
    'RestartSec=100ms',
    'Delegate=yes',
    'LimitNOFILE=1048576',
    'TasksMax=infinity',
    'TimeoutStartSec=180',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n')
}

function command(...argv: readonly string[]): string {
  return argv.map(quoted).join(' ')
}

/** systemd expands `%` and `$`, and reads `\` and `"` as its own. */
function quoted(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /[\s"'\\;]/.test(text) ? `"${escaped}"` : escaped
}
