-- A transaction that logical replication applies is about to commit: its rows came without a statement, so nothing has
-- brought the IMMEDIATE stream tables up to date. Once for the transaction; in full where statements have run in it as
-- well (a TRUNCATE, a trigger that writes), since those have already seen some of the rows.
CREATE FUNCTION pgtrickle._rows_applied() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $fn$
DECLARE
    mixed  boolean := current_setting('pg_trickle.settled', true) = 'on';
    reader record;
BEGIN
    IF current_setting('pg_trickle.applied', true) = 'on' THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('pg_trickle.applied', 'on', true);
    PERFORM pgtrickle._seal(ARRAY[1, 0], true);
    IF NOT mixed THEN
        PERFORM pgtrickle._settle_statement(0, ARRAY(SELECT DISTINCT i.source_id::bigint FROM pgtrickle.pgt_immediate i));
    ELSE
        FOR reader IN
            SELECT i.pgt_id FROM pgtrickle.pgt_immediate i GROUP BY i.pgt_id ORDER BY max(i.place), i.pgt_id
        LOOP
            PERFORM set_config('pg_trickle.refreshing', reader.pgt_id::text, true);
            PERFORM pgtrickle._exclude_writers(reader.pgt_id);
            PERFORM pgtrickle._recompute_in_statement(reader.pgt_id, 'statements among replicated rows');
        END LOOP;
        PERFORM set_config('pg_trickle.refreshing', '', true);
    END IF;
    PERFORM set_config('pg_trickle.statement', '', true);
    RETURN NULL;
END
$fn$;
