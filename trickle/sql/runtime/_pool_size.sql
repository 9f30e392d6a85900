-- The most refreshes that may run on this server at once, and in this database when it has no quota of its own. Where
-- nobody has set them: 4, or the number of an instance's refresh subprocesses where that is more.
CREATE FUNCTION pgtrickle._pool_size(OUT pool int, OUT per_database int)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT coalesce(pgtrickle._setting_number('max_dynamic_refresh_workers', NULL)::int, greatest(4, m.most)),
           coalesce(pgtrickle._setting_number('max_concurrent_refreshes', NULL)::int, greatest(4, m.most))
    FROM (SELECT max(s.most) AS most FROM pgtrickle._pool_stakes() s
          WHERE s.db_oid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) m
$fn$;
