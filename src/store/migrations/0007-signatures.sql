-- Error signatures: how often each was met in five minutes. What was there in the day before a rollout is known after a restart, too.
insert into telemetry.retention values ('signatures', '1 day', '14 days');
create table telemetry.signatures (
  at timestamptz not null,                  -- begin of the five minutes
  environment int not null,
  key bytea not null,                       -- a hash of the texts that follow
  service text not null,
  release text not null,
  error text not null,                      -- see core/model/error-signature.ts; '': not known
  place text not null,                      -- operation and status; '': not known
  teller text not null,                     -- spans, logs, output: the same error is told of by several
  count int not null,
  first_seen timestamptz not null,
  last_seen timestamptz not null,
  trace bytea,                              -- of the newest that has one
  primary key (at, environment, key)
) partition by range (at);

do $$
begin
  if exists (select from pg_roles where rolname = 'weir_telemetry') then
    grant select, insert, update, delete on telemetry.signatures to weir_telemetry;
  end if;
end
$$;

-- Processor time and memory of replicas by the minute; minutes of past days are added up to hours.
create table replica_usage (
  environment text not null references environments (id) on delete cascade,
  service text not null,
  release int not null,
  replica text not null,
  at timestamptz not null,                  -- begin of the minute or hour
  width_s int not null,
  samples int not null,
  seconds float8 not null,                  -- that were watched
  cpu_seconds float8 not null,
  memory_bytes float8 not null,             -- sum over the samples
  memory_peak_bytes float8 not null,
  primary key (environment, at, replica, width_s)
);
create index replica_usage_by_age on replica_usage using brin (at);
