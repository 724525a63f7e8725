-- Why passes over the environment fail again and again; null: they do not.
alter table environments add column trouble json;
