-- Objectives that people set by hand, by service: they win over the manifest's.
alter table environments add column objectives json not null default '{}';
