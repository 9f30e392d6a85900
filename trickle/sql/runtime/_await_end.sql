-- Wait until the session that holds this key has ended or given it up: true then, false after patience_ms or when
-- cancelled. A longer wait would keep VACUUM from cleaning up, because the statement that waits has a snapshot. Both are
-- caught here so that the server's log does not fill with them. What is granted is shared, and given back with the end
-- of this statement: it is in nobody's way.
CREATE FUNCTION pgtrickle._await_end(group_key int, name_key int, patience_ms int) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    PERFORM set_config('lock_timeout', patience_ms || 'ms', true);
    PERFORM pg_advisory_xact_lock_shared(group_key, name_key);
    RETURN true;
EXCEPTION WHEN lock_not_available OR query_canceled THEN
    RETURN false;
END
$fn$;
