-- What a rollout was judged by: the newest look at it, with all that it was made from but the evidence.
alter table rollouts add column look json;

-- What the gateway saw of rollouts that are judged, in the order in which it was committed: a verdict is a fold over it.
create table evidence (
  environment text not null references environments (id) on delete cascade,
  rollout text not null,
  seq bigint generated always as identity,
  block json not null,
  primary key (environment, rollout, seq)
);

-- Promoted releases, judged silently against themselves: false alarms are counted here.
create table trials (
  environment text not null references environments (id) on delete cascade,
  id text not null,
  seq bigint generated always as identity,
  release int not null,
  requests bigint not null,
  max_log_e float8 not null,
  alarm boolean not null,
  design_effect float8 not null,
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (environment, id)
);
create index trials_in_order on trials (environment, seq);

-- Said when it was asked for: though it was taken back before; without comparing it with what serves.
alter table releases add column again boolean not null default false;
alter table releases add column forward boolean not null default false;
