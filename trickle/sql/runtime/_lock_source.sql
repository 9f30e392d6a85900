-- Keep writers of a source out until this transaction ends, but never make them queue for long behind the wait.
CREATE FUNCTION pgtrickle._lock_source(relid oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    before text := current_setting('lock_timeout');
    wait   text := ceil(1000 * pgtrickle._setting_seconds('capture_lock_timeout', '2s'))::bigint || 'ms';
BEGIN
    PERFORM set_config('lock_timeout', wait, true);
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', relid::regclass);
    PERFORM set_config('lock_timeout', before, true);
EXCEPTION WHEN lock_not_available THEN
    RAISE EXCEPTION 'lock timeout: % is being written by an open transaction, so its capture triggers were not installed within %',
        relid::regclass, wait
        USING ERRCODE = '55P03', HINT = 'Try again when that transaction has ended, or raise the setting capture_lock_timeout.';
END
$fn$;
