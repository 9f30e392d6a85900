-- The refresh sessions of this server that are at work, in whatever database: a transaction shows in pg_locks, for everybody.
CREATE FUNCTION pgtrickle._active_refreshes() RETURNS TABLE (pid int, db_oid oid, db_name name)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT a.pid, a.datid, a.datname
    FROM pg_stat_activity a
    WHERE starts_with(a.application_name, 'pg_trickle_refresh')
      AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'virtualxid' AND l.granted)
$fn$;
