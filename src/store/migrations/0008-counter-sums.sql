-- Counters of each service by the minute and by ten minutes in which they were stored, so that hours are added up from little. A trigger writes them with
-- the counters, in the same transaction: what is counted once there is counted once here.
create table counter_sums (
  environment text not null,
  width interval not null,                  -- 1 minute or 10 minutes
  begins timestamptz not null,
  service text not null,
  requests bigint not null,
  errors bigint not null,
  rejected4xx bigint not null,
  latency int[] not null,
  primary key (environment, width, begins, service)
);
create index counter_sums_by_age on counter_sums (begins);

-- The sum of two sparse sketches: {bucket, count, bucket, count, …}, buckets ascending.
create function merge_sketches(a int[], b int[]) returns int[] language sql immutable as $$
  select coalesce(array_agg(v order by bucket, which), '{}') from (
    select bucket, sum(n)::int as n from (
      select a[i] as bucket, a[i + 1] as n from generate_series(1, array_length(a, 1), 2) i
      union all select b[i], b[i + 1] from generate_series(1, array_length(b, 1), 2) i
    ) both_of_them group by bucket
  ) s, lateral (values (0, bucket), (1, n)) u(which, v)
$$;

create function add_counters() returns trigger language plpgsql as $$
begin
  with own as (
    select environment, width, date_bin(width, stored_at, 'epoch') as begins, service, requests, errors, rejected4xx, latency
    from fresh, (values (interval '1 minute'), (interval '10 minutes')) widths(width)
  ), sums as (
    select environment, width, begins, service, sum(requests)::bigint as requests, sum(errors)::bigint as errors, sum(rejected4xx)::bigint as rejected4xx
    from own group by 1, 2, 3, 4
  ), buckets as (
    select environment, width, begins, service, latency[i] as bucket, sum(latency[i + 1])::int as n
    from own, generate_series(1, array_length(latency, 1), 2) i group by 1, 2, 3, 4, 5
  ), sketches as (
    select environment, width, begins, service, array_agg(v order by bucket, which) as latency
    from buckets, lateral (values (0, bucket), (1, n)) u(which, v) group by 1, 2, 3, 4
  )
  insert into counter_sums as m (environment, width, begins, service, requests, errors, rejected4xx, latency)
  select s.environment, s.width, s.begins, s.service, s.requests, s.errors, s.rejected4xx, coalesce(k.latency, '{}')
  from sums s left join sketches k using (environment, width, begins, service) order by 1, 2, 3, 4
  on conflict (environment, width, begins, service) do update set
    requests = m.requests + excluded.requests, errors = m.errors + excluded.errors, rejected4xx = m.rejected4xx + excluded.rejected4xx,
    latency = merge_sketches(m.latency, excluded.latency);
  return null;
end
$$;

create trigger counters_are_summed after insert on counters referencing new table as fresh for each statement execute function add_counters();

-- What is already there and may still be asked for goes in by the same way: taken out and put back.
with again as (delete from counters where stored_at > now() - interval '7 hours' returning *)
insert into counters select * from again;
