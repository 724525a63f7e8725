-- What came of requests that Weir makes by itself.
create table probe_results (
  environment text not null references environments (id) on delete cascade,
  service text not null,
  probe text not null,
  at timestamptz not null default now(),
  ok boolean not null,
  duration_ms float8 not null,
  cause text
);
create index probe_results_of_environment on probe_results (environment, service, probe, at);
create index probe_results_by_age on probe_results using brin (at);
