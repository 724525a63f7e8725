/** What becomes of the fields of a compose file that a process cannot honour, said to the user one by one. */

const CONTAINER = 'no effect: no containers run here'
const NETWORK = 'no effect: services of an app reach each other at the addresses that Weir gives them'
const SANDBOX = 'not given: each app runs as an account of its own without extra rights'

export const SERVICE_EFFECTS: Readonly<Record<string, string>> = {
  annotations: CONTAINER,
  attach: 'no effect: `weir logs` shows every service',
  blkio_config: CONTAINER,
  cap_add: SANDBOX,
  cap_drop: 'already so: processes run without capabilities',
  cgroup: CONTAINER,
  cgroup_parent: CONTAINER,
  configs: 'not handed over: put the file into the source, or its content into `environment`',
  container_name: 'no effect: replicas are named by Weir',
  cpu_count: 'no effect: use `deploy.resources.limits.cpus`',
  cpu_percent: 'no effect: use `deploy.resources.limits.cpus`',
  cpu_period: 'no effect: use `deploy.resources.limits.cpus`',
  cpu_quota: 'no effect: use `deploy.resources.limits.cpus`',
  cpu_rt_period: CONTAINER,
  cpu_rt_runtime: CONTAINER,
  cpu_shares: 'no effect: use `deploy.resources.limits.cpus`',
  cpuset: CONTAINER,
  credential_spec: CONTAINER,
  develop: 'no effect: it is for `docker compose watch`',
  device_cgroup_rules: SANDBOX,
  devices: SANDBOX,
  dns: 'no effect: processes use the machine’s DNS',
  dns_opt: 'no effect: processes use the machine’s DNS',
  dns_search: 'no effect: processes use the machine’s DNS',
  domainname: CONTAINER,
  env_file: 'not read: set its variables with `weir env set`, or write them into `environment`',
  external_links: NETWORK,
  extra_hosts: 'no effect: processes use the machine’s DNS',
  gpus: SANDBOX,
  group_add: SANDBOX,
  hostname: CONTAINER,
  init: 'no effect: Weir reaps what a replica leaves behind',
  ipc: CONTAINER,
  isolation: CONTAINER,
  label_file: 'no effect: labels are not read',
  labels: 'no effect: labels are not read',
  links: NETWORK,
  logging: 'no effect: Weir keeps and rotates the logs',
  mac_address: CONTAINER,
  mem_reservation: 'no effect: only the limit counts',
  mem_swappiness: CONTAINER,
  memswap_limit: CONTAINER,
  network_mode: NETWORK,
  networks: NETWORK,
  oom_kill_disable: 'no effect: a replica over its memory limit is killed and restarted',
  oom_score_adj: 'no effect: a replica over its memory limit is killed and restarted',
  pid: CONTAINER,
  pids_limit: CONTAINER,
  platform: CONTAINER,
  post_start: 'not run: make it a `pre_start` command, or part of the app',
  pre_stop: 'not run: handle the stop signal in the app',
  privileged: SANDBOX,
  pull_policy: CONTAINER,
  read_only: 'no effect: the built app is read-only anyway',
  restart: 'no effect: a replica that ends is always restarted, with a growing pause',
  runtime: CONTAINER,
  security_opt: SANDBOX,
  shm_size: CONTAINER,
  stdin_open: 'no effect: replicas have no terminal; `weir exec` opens one',
  storage_opt: CONTAINER,
  sysctls: SANDBOX,
  tmpfs: 'no effect: each replica has a temporary folder of its own, `$TMPDIR`',
  tty: 'no effect: replicas have no terminal; `weir exec` opens one',
  ulimits: CONTAINER,
  use_api_socket: SANDBOX,
  user: 'no effect: each app runs as an account of its own',
  userns_mode: CONTAINER,
  uts: CONTAINER,
  volumes_from: 'not mounted: name the volume in both services',
  working_dir: 'no effect: a process starts in the folder it was built from',
}

export const DEPLOY_EFFECTS: Readonly<Record<string, string>> = {
  endpoint_mode: NETWORK,
  labels: 'no effect: labels are not read',
  mode: 'no effect: replicas are what `replicas` says',
  placement: 'no effect: there is one machine',
  restart_policy: 'no effect: a replica that ends is always restarted, with a growing pause',
  rollback_config: 'no effect: `release` in weir.yaml says how a release takes over',
  update_config: 'no effect: `release` in weir.yaml says how a release takes over',
}

export const BUILD_EFFECT = 'no effect: no containers run here, Weir builds the folder by what it finds there'

/** Fields that change so much that going on without them would deploy another app. */
export const REFUSED_SERVICE_FIELDS: Readonly<Record<string, string>> = {
  extends: 'write the fields into the service itself',
  provider: 'declare what it provides under `resources` in weir.yaml',
}

export const DATABASE_EFFECT = 'no effect: the database is Weir’s own PostgreSQL; its address is given to the services that depend on it'
