-- Take a stream table for a change of its shape, which lasts only until this transaction ends. Its readers queue behind
-- whoever waits for it, so each attempt is short and the next comes after a pause; lock_timeout bounds them all together.
-- Attempts as short as these are no deadlock to the server, so that is looked for here.
CREATE FUNCTION pgtrickle._lock_storage(relid oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    before  text := current_setting('lock_timeout');
    patience int := (SELECT s.setting::int FROM pg_settings s WHERE s.name = 'lock_timeout');
    give_up timestamptz := clock_timestamp() + CASE patience WHEN 0 THEN interval '1 year'
                                                             ELSE patience * interval '1 ms' END;
BEGIN
    LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '50ms', true);
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', relid::regclass);
            PERFORM set_config('lock_timeout', before, true);
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            IF EXISTS (SELECT FROM pg_locks l
                       WHERE l.locktype = 'relation' AND l.relation = relid AND l.granted AND l.pid <> pg_backend_pid()
                         AND pg_backend_pid() = ANY (pg_blocking_pids(l.pid))) THEN
                RAISE EXCEPTION 'deadlock detected: a transaction that uses % waits for this one', relid::regclass
                    USING ERRCODE = '40P01', HINT = 'Try again when that transaction has ended.';
            ELSIF clock_timestamp() > give_up THEN
                RAISE EXCEPTION 'lock timeout: % is in use by an open transaction, so its shape was not changed', relid::regclass
                    USING ERRCODE = '55P03', HINT = 'Try again when that transaction has ended, or raise lock_timeout.';
            END IF;
        END;
        PERFORM pg_sleep(0.1);
    END LOOP;
END
$fn$;
