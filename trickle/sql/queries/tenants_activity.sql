-- For each database of the server a mark that changes when anything is written there.
SELECT d.datname, (d.tup_inserted + d.tup_updated + d.tup_deleted)::text || '/' || coalesce(d.stats_reset::text, '')
FROM pg_stat_database d WHERE d.datname IS NOT NULL
