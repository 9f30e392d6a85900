-- Remove the capture of those sources that no stream table reads any more.
CREATE FUNCTION pgtrickle._drop_unused_capture(source_ids int[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    source record;
    before text := current_setting('client_min_messages');
BEGIN
    PERFORM set_config('client_min_messages', 'warning', true);
    FOR source IN
        SELECT t.source_id, t.source_relid FROM pgtrickle.pgt_change_tracking t
        WHERE t.source_id = ANY (source_ids)
          AND NOT EXISTS (SELECT FROM pgtrickle.pgt_dependencies d WHERE d.source_id = t.source_id)
          AND NOT EXISTS (SELECT FROM pgtrickle.pgt_outbox_config o WHERE o.source_id = t.source_id)
        ORDER BY t.source_id
    LOOP
        -- A creator that found the capture in place holds its row; wait for it, then look again.
        IF EXISTS (SELECT FROM pg_class c WHERE c.oid = source.source_relid) THEN
            PERFORM pgtrickle._lock_source(source.source_relid);
        END IF;
        PERFORM FROM pgtrickle.pgt_change_tracking t WHERE t.source_id = source.source_id FOR UPDATE;
        IF NOT EXISTS (SELECT FROM pgtrickle.pgt_dependencies d WHERE d.source_id = source.source_id)
           AND NOT EXISTS (SELECT FROM pgtrickle.pgt_outbox_config o WHERE o.source_id = source.source_id) THEN
            PERFORM pgtrickle._drop_capture(source.source_id);
        END IF;
    END LOOP;
    PERFORM set_config('client_min_messages', before, true);
END
$fn$;
