-- The first step towards the fixed point of a cycle. Rows that were only added lead from one least fixed point to the next.
-- A row that went may have been what others of the cycle rest on, and each of those on the other: then the cycle is
-- derived from nothing again. Inside the transaction of a unit nobody sees it empty.
CREATE FUNCTION pgtrickle._begin_cycle(pgt_ids bigint[]) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    anew   boolean;
    source record;
    id     bigint;
BEGIN
    SELECT bool_or(s.needs_reinit OR NOT s.is_populated OR s.program_state <> 'compiled' OR f.snapshot IS NULL
                   OR s.fixpoint_frontier IS DISTINCT FROM f.own_xid || '/' || f.own_seq
                   OR pgtrickle._stale_stamp(s.pgt_id)) INTO anew
    FROM pgtrickle.pgt_stream_tables s JOIN pgtrickle.pgt_frontiers f USING (pgt_id) WHERE s.pgt_id = ANY (pgt_ids);
    anew := anew OR EXISTS (SELECT FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = ANY (pgt_ids) AND d.cdc_mode <> 'TRIGGER');
    FOR source IN
        SELECT d.source_id, f.* FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_frontiers f USING (pgt_id)
        WHERE d.pgt_id = ANY (pgt_ids) AND d.source_id IS NOT NULL
    LOOP
        EXIT WHEN anew;
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM pgtrickle_changes.changes_%s x WHERE x.xid >= pg_snapshot_xmin($1) AND x.weight < 0 '
            'AND pgtrickle.is_new(x.xid, x.seq, $1, $2, $3)) OR EXISTS (SELECT FROM pgtrickle_changes.markers m '
            'WHERE m.source_id = $4 AND pgtrickle.is_new(m.xid, m.seq, $1, $2, $3))', source.source_id)
        INTO anew USING source.snapshot, source.own_xid, source.own_seq, source.source_id;
    END LOOP;
    IF anew THEN
        FOREACH id IN ARRAY pgt_ids LOOP
            PERFORM set_config('pg_trickle.refreshing', id::text, true);
            EXECUTE format('SELECT pgtrickle_programs.empty_%s()', id);
            UPDATE pgtrickle.pgt_frontiers f SET snapshot = NULL WHERE f.pgt_id = id;
        END LOOP;
        PERFORM set_config('pg_trickle.refreshing', '', true);
    END IF;
    RETURN anew;
END
$fn$;
