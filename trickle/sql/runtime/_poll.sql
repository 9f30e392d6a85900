-- Bring the copies that a stream table's program reads up to their polled sources. Where there is no program, the query
-- itself reads the sources.
CREATE FUNCTION pgtrickle._poll(pgt_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    source record;
BEGIN
    FOR source IN
        SELECT d.source_id FROM pgtrickle.pgt_dependencies d
        WHERE d.pgt_id = _poll.pgt_id AND d.cdc_mode = 'POLL' AND d.source_id IS NOT NULL
          AND to_regclass(format('pgtrickle_programs.stored_%s', d.pgt_id)) IS NOT NULL
        ORDER BY d.source_id
    LOOP
        EXECUTE format('SELECT pgtrickle_programs.poll_%s_%s()', _poll.pgt_id, source.source_id);
    END LOOP;
END
$fn$;
