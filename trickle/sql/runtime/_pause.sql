-- Stop the scheduled refreshes of these stream tables: wait for those in hand, let none begin. False, and nothing
-- changed, when one of them takes longer. What waits behind us finds the stream table altered, and looks again.
CREATE FUNCTION pgtrickle._pause(ids bigint[], seconds float8) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    give_up_at timestamptz := clock_timestamp() + make_interval(secs => seconds);
    usual      text := current_setting('lock_timeout');
    id         bigint;
BEGIN
    PERFORM pgtrickle._assert_owner(s) FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = ANY (ids);
    BEGIN
        FOREACH id IN ARRAY ARRAY(SELECT DISTINCT i FROM unnest(ids) i ORDER BY i) LOOP
            PERFORM set_config('lock_timeout',
                greatest(1, ceil(extract(epoch FROM give_up_at - clock_timestamp()) * 1000))::bigint || 'ms', true);
            PERFORM FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = id FOR NO KEY UPDATE;
        END LOOP;
        PERFORM set_config('lock_timeout', usual, true);
    EXCEPTION WHEN lock_not_available THEN
        RETURN false;
    END;
    UPDATE pgtrickle.pgt_stream_tables s SET status = 'PAUSED', updated_at = now()
    WHERE s.pgt_id = ANY (ids) AND s.status IN ('INITIALIZING', 'ACTIVE');
    RETURN true;
END
$fn$;
