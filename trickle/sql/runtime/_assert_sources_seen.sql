-- A transaction with an old snapshot would not find the stream tables that have come to read these sources since it was
-- taken. Locking the rows of the sources finds out: they were written when a reader came, and that is a conflict.
CREATE FUNCTION pgtrickle._assert_sources_seen(source_ids bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    seen bigint;
BEGIN
    IF current_setting('transaction_isolation') = 'read committed' THEN
        RETURN;
    END IF;
    PERFORM FROM pgtrickle.pgt_change_tracking t WHERE t.source_id = ANY (source_ids) FOR SHARE;
    GET DIAGNOSTICS seen = ROW_COUNT;
    IF seen < cardinality(source_ids) THEN
        RAISE EXCEPTION 'could not serialize access: a stream table has come to read this source'
            USING ERRCODE = '40001', HINT = 'The transaction might succeed if retried.';
    END IF;
END
$fn$;
