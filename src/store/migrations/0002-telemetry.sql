-- What the telemetry process writes. A schema of its own: its role (where the runner has made one) reaches these tables and nothing else.
-- Everything belongs to an environment, by the number in its id (`e12` is 12), and is asked for with it.
-- No foreign keys: spans come faster than environments go. What grows is cut into partitions by time; `tend_partitions` makes and drops them.

create schema telemetry;

-- How wide a partition of each table is, and how long it is kept.
create table telemetry.retention (
  name text primary key,
  width interval not null,
  keep interval not null
);
insert into telemetry.retention values
  ('traces', '6 hours', '3 days'),
  ('logs', '6 hours', '7 days'),
  ('samples', '6 hours', '2 days'),
  ('rollups_10s', '6 hours', '1 day'),
  ('rollups_5m', '1 day', '14 days'),
  ('rollups_1h', '30 days', '400 days');

-- A kept trace is one row: lists and searches read the narrow part, `spans` lies apart (TOAST) and is read by trace id only.
-- A late span of a kept trace is a second row of the same trace.
create table telemetry.traces (
  environment int not null,
  at timestamptz not null,                  -- start of its first span
  trace bytea not null,                     -- 16 bytes
  service text not null,                    -- of the root
  operation text not null,
  release text not null,
  duration_us bigint not null,
  failed boolean not null,
  span_count int not null,
  kept text not null,                       -- why: error, slow, rare, sampled, late
  -- one place for each operation of a service in the trace
  services text[] not null,
  operations text[] not null,
  longest_us bigint[] not null,
  failures int[] not null,
  spans bytea not null                      -- OTLP ExportTraceServiceRequest
) partition by range (at);
create index traces_by_id on telemetry.traces (trace);
create index traces_by_time on telemetry.traces (environment, at);

-- One row an operation, call or root operation and bucket. A bucket may have several rows: they add up.
create table telemetry.rollups_10s (
  environment int not null,
  at timestamptz not null,                  -- begin of the bucket
  kind smallint not null,                   -- 1: an operation, 2: calls from service to peer, 3: whole requests, by root operation
  service text not null,
  operation text not null,
  peer text not null,
  release text not null,
  span_kind smallint not null,
  count float8 not null,                    -- weighted: a span of a trace sampled with 1 % counts 100
  errors float8 not null,
  rejected4xx float8 not null,
  duration_us float8 not null,
  exclusive_us float8 not null,
  latency bytea not null                    -- see core/model/sketch-bytes.ts
) partition by range (at);
create index rollups_10s_by_time on telemetry.rollups_10s (environment, at);
create index rollups_10s_of_all on telemetry.rollups_10s using brin (at) with (pages_per_range = 16);
-- What was written every second, until its bucket is over and one row of each kind is made of it: so that little is lost with the process.
create table telemetry.rollups_fresh (like telemetry.rollups_10s) with (autovacuum_vacuum_scale_factor = 0.5);
create index rollups_fresh_by_time on telemetry.rollups_fresh (at);
create table telemetry.rollups_5m (like telemetry.rollups_10s) partition by range (at);
create index rollups_5m_by_time on telemetry.rollups_5m (environment, at);
create index rollups_5m_of_all on telemetry.rollups_5m using brin (at) with (pages_per_range = 16);
create table telemetry.rollups_1h (like telemetry.rollups_10s) partition by range (at);
create index rollups_1h_by_time on telemetry.rollups_1h (environment, at);

create table telemetry.logs (
  environment int not null,
  at timestamptz not null,
  seq bigint not null,                      -- order of arrival
  service text not null,
  release text not null,
  instance text not null,
  level smallint not null,                  -- OTLP's severity, of which the first of each four: 1 trace, 5 debug, 9 info, 13 warn, 17 error, 21 fatal; 0 unknown
  trace bytea,
  span bytea,
  text text not null,
  attributes text                           -- JSON
) partition by range (at);
create index logs_by_time on telemetry.logs (environment, at, seq);
create index logs_by_trace on telemetry.logs (trace) where trace is not null;

-- How far the files of replicas' output were read: written with the lines themselves, so that none is lost or stored twice.
create table telemetry.log_cursors (
  source text primary key,
  inode bigint not null,
  position bigint not null,
  at timestamptz not null default now()
);

-- Points of OTLP metrics.
create table telemetry.samples (
  environment int not null,
  at timestamptz not null,
  service text not null,
  release text not null,
  instance text not null,
  name text not null,
  unit text not null,
  value float8 not null,
  count float8,                             -- of a histogram: how many observations, `value` being their sum
  attributes text not null                  -- JSON
) partition by range (at);
create index samples_by_time on telemetry.samples (environment, name, at);

-- The service graph of each environment as it was last, to go on with after a restart.
create table telemetry.graphs (
  environment int primary key,
  at timestamptz not null,
  snapshot bytea not null                   -- JSON, deflated
);

-- How far something has come: the end of the newest merged bucket, in ms; the newest written batch.
create table telemetry.marks (
  name text primary key,
  value bigint not null
);

-- How much each environment has in a table, by the hour: what its budget is held against without reading the table.
create table telemetry.usage (
  environment int not null,
  name text not null,
  hour timestamptz not null,
  bytes bigint not null,
  primary key (name, environment, hour)
);

-- Makes the partition that `now_at` falls into, the one before and the one after; drops what is too old, and the oldest of a table that is larger
-- than `budget` says ({"traces": bytes}). Runs with its owner's rights: making a partition needs them, writing rows does not.
create function telemetry.tend_partitions(now_at timestamptz, budget json) returns void
language plpgsql security definer set search_path = pg_catalog, telemetry, pg_temp set lock_timeout = '2s' set timezone = 'UTC' as $$
declare
  policy record;
  begins timestamptz;
  part text;
  parts text[];
  total bigint;
begin
  perform pg_advisory_xact_lock(hashtext('telemetry partitions'));
  for policy in select * from telemetry.retention order by name loop
    begins := date_bin(policy.width, now_at, '2020-01-01Z') - policy.width;
    for n in 0..2 loop
      part := policy.name || '_' || to_char(begins, 'YYYYMMDDHH24');
      if to_regclass('telemetry.' || part) is null then
        execute format('create table telemetry.%I (like telemetry.%I including storage including compression)', part, policy.name);
        if policy.name = 'traces' then
          execute format('alter table telemetry.%I set (toast_tuple_target = 256)', part);
        end if;
        execute format('alter table telemetry.%I attach partition telemetry.%I for values from (%L) to (%L)', policy.name, part, begins, begins + policy.width);
      end if;
      begins := begins + policy.width;
    end loop;

    select array_agg(c.relname::text order by c.relname), sum(pg_total_relation_size(c.oid)) into parts, total
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = ('telemetry.' || policy.name)::regclass;
    foreach part in array parts loop
      begins := to_timestamp(right(part, 10), 'YYYYMMDDHH24');
      continue when begins + policy.width > now_at;
      continue when begins + policy.width + policy.keep > now_at and total <= coalesce((budget ->> policy.name)::bigint, total);
      total := total - pg_total_relation_size(('telemetry.' || part)::regclass);
      execute format('drop table telemetry.%I', part);
    end loop;
  end loop;
end
$$;
revoke all on function telemetry.tend_partitions from public;

do $$
begin
  if exists (select from pg_roles where rolname = 'weir_telemetry') then
    grant usage on schema telemetry to weir_telemetry;
    grant select, insert, update, delete on all tables in schema telemetry to weir_telemetry;
    revoke insert, update, delete on telemetry.retention from weir_telemetry;
    grant execute on function telemetry.tend_partitions to weir_telemetry;
  end if;
end
$$;
