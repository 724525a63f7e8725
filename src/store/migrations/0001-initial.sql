-- Documents are `json`, not `jsonb`: text that comes back as it went in, key order included. What lists need of them stands in columns beside.

create table lease (
  only_one boolean primary key default true check (only_one),
  epoch bigint not null default 0,
  holder text,                              -- null: free
  renewals bigint not null default 0,       -- grows; a holder whose renewals stand still is gone
  clock_ms bigint not null default 0        -- store time: see controllers/journal.ts
);
insert into lease default values;

create table settings (
  only_one boolean primary key default true check (only_one),
  registration_open boolean not null default false
);
insert into settings default values;

create table tenants (
  name text primary key,
  created_at timestamptz not null default now()
);

create table accounts (
  name text primary key,
  password_hash text,
  admin boolean not null,
  created_at timestamptz not null default now()
);

create table members (
  tenant text not null references tenants on delete cascade,
  account text not null references accounts on delete cascade,
  role text not null check (role in ('admin', 'developer', 'viewer')),
  primary key (tenant, account)
);
create index members_of_account on members (account);

create table tokens (
  id bigint generated always as identity primary key,
  hash bytea not null unique,
  label text not null,
  tenant text references tenants on delete cascade,
  account text references accounts on delete cascade,
  environment text,                         -- 'shop/production'
  verbs text[],                             -- null: all that the account may do
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  check (tenant is not null or account is not null),
  check (verbs is not null or account is not null)
);
create index tokens_of_tenant on tokens (tenant, id);
create index tokens_of_account on tokens (account);

create table login_attempts (
  subject text primary key,
  window_start timestamptz not null,
  attempts int not null
);

create table apps (
  tenant text not null references tenants on delete cascade,
  name text not null,
  created_at timestamptz not null default now(),
  primary key (tenant, name)
);

create table environments (
  number bigint generated always as identity primary key,
  id text not null unique generated always as ('e' || number) stored,
  tenant text not null,
  app text not null,
  name text not null,
  port int unique,                          -- null once removed
  state json not null,
  named int[] not null default '{}',        -- releases that the state names
  clock_ms bigint not null default 0,
  revision bigint not null default 1,
  last_commit uuid,                         -- of the last commit of state: tells whether a lost answer meant yes
  next_release int not null default 1,
  variables json not null default '{}',     -- staged: service -> name -> value
  -- for lists
  current int,
  rollout text,
  rollout_target int,
  rollout_phase text,
  rollout_weight int,
  status text not null default 'new',
  services int not null default 0,
  replicas int not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,                   -- removed, but its data was kept: the same name brings it back
  unique (tenant, app, name),
  foreign key (tenant, app) references apps on delete cascade
);

create table follows (
  id bigint generated always as identity primary key,
  environment text not null references environments (id) on delete cascade,
  url text not null,
  ref text not null,
  path text not null,
  last_commit text,
  problem text,
  checked_at timestamptz,
  unique (environment, url, ref, path)
);

create table releases (
  environment text not null references environments (id) on delete cascade,
  number int not null,
  status text not null check (status in ('queued', 'building', 'ready', 'failed')),
  source json not null,
  manifest json,
  configuration json not null,
  graph json,
  artifacts json not null default '{}',
  fingerprints json not null default '{}',
  origins json,
  commit json,
  because json,
  notes json not null default '[]',
  by text not null,
  when_busy text not null check (when_busy in ('wait', 'supersede')),
  followed_url text,                        -- set when a followed branch made it
  followed_ref text,
  followed_path text,
  followed_commit text,
  last_commit uuid,
  created_at timestamptz not null default now(),
  ready_at timestamptz,
  promoted_at timestamptz,
  primary key (environment, number)
);
create index releases_unfinished on releases (created_at) where status in ('queued', 'building');
create index releases_promoted on releases (environment, number) where promoted_at is not null;
create unique index releases_followed on releases (environment, followed_url, followed_ref, followed_path, followed_commit) where followed_commit is not null;

create table route_claims (
  host text not null,                       -- '' : any host
  path text not null,
  environment text not null references environments (id) on delete cascade,
  tenant text not null,
  primary key (host, path)
);
create index route_claims_of_environment on route_claims (environment);

create table commands (
  id bigint generated always as identity primary key,
  environment text not null references environments (id) on delete cascade,
  command json not null,
  by text not null,
  created_at timestamptz not null default now(),
  consumed_at timestamptz,
  refused json,
  rollout text
);
create index commands_pending on commands (environment, id) where consumed_at is null;
create index commands_of_environment on commands (environment, id);

create table rollouts (
  environment text not null references environments (id) on delete cascade,
  id text not null,
  seq bigint generated always as identity,
  kind text not null,
  target int not null,
  base int,
  by text not null,
  strategy text not null,
  phase text not null,
  weight int not null,
  outcome text,
  because json,
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (environment, id)
);
create index rollouts_in_order on rollouts (environment, seq);

create table operations (
  environment text not null references environments (id) on delete cascade,
  id text not null,
  seq bigint generated always as identity,
  kind text not null,
  target text not null,
  outcome text not null check (outcome in ('intended', 'done', 'failed')),
  cause text,
  intended_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (environment, id)
);
create index operations_in_order on operations (environment, seq);

-- No foreign keys: what happened stays true when the thing is gone.
create table events (
  seq bigint generated always as identity primary key,
  at timestamptz not null default now(),
  tenant text not null,
  app text not null,
  environment text not null,
  kind text not null,
  text text not null,
  service text,
  release int,
  data json not null
);
create index events_of_app on events (tenant, app, seq);
create index events_of_tenant on events (tenant, seq);
create index events_by_age on events using brin (at);

create table audit (
  seq bigint generated always as identity primary key,
  at timestamptz not null default now(),
  tenant text,
  by text not null,
  action text not null,
  target text not null,
  detail json not null,
  request uuid not null,
  hash bytea not null                       -- sha-256 over the hash before and this record
);
create index audit_of_tenant on audit (tenant, seq);
create index audit_of_request on audit (request);

create table idempotency (
  scope text not null,
  key text not null,
  fingerprint text not null,
  status int,
  body bytea,
  created_at timestamptz not null default now(),
  primary key (scope, key)
);
create index idempotency_by_age on idempotency (created_at);

create table secrets (
  environment text not null references environments (id) on delete cascade,
  name text not null,
  version int not null,
  sealed bytea not null,
  by text not null,
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (environment, name, version)
);

create table credentials (
  tenant text not null references tenants on delete cascade,
  kind text not null check (kind in ('token', 'deploy-key', 'known-hosts')),
  url_prefix text not null,
  sealed bytea not null,
  by text not null,
  created_at timestamptz not null default now(),
  primary key (tenant, kind, url_prefix)
);

create table counter_blocks (
  incarnation text not null,
  sequence bigint not null,
  stored_at timestamptz not null default now(),
  primary key (incarnation, sequence)
);
create index counter_blocks_by_age on counter_blocks (stored_at);

create table counters (
  environment text not null,
  stored_at timestamptz not null default now(),
  from_ms bigint not null,
  to_ms bigint not null,
  version_epoch bigint not null,
  version_n bigint not null,
  hop text not null,
  track text not null,
  service text not null,
  origin int not null,
  route text not null,
  requests bigint not null,
  errors bigint not null,
  rejected4xx bigint not null,
  aborted bigint not null,
  html bigint not null,
  latency int[] not null
);
create index counters_of_environment on counters (environment, stored_at);
create index counters_by_age on counters using brin (stored_at);
