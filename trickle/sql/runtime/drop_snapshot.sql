-- Remove a snapshot, with what was kept beside it. A table that is not a snapshot is refused.
CREATE FUNCTION pgtrickle.drop_snapshot(p_snapshot_table text) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    found  record;
    wanted text[] := pgtrickle._split_name(p_snapshot_table, 'public');
    gone   pgtrickle.pgt_snapshots;
BEGIN
    SELECT s.* INTO gone FROM pgtrickle.pgt_snapshots s
    WHERE s.snapshot_schema = wanted[1] AND s.snapshot_table = wanted[2];
    IF gone.snapshot_id IS NULL OR to_regclass(format('%I.%I', wanted[1], wanted[2])) IS NOT NULL THEN
        SELECT * INTO found FROM pgtrickle._find_snapshot(p_snapshot_table);
        EXECUTE format('DROP TABLE %s', found.relid::regclass);
    END IF;
    PERFORM pgtrickle._drop_snapshot_states(gone.snapshot_id);
    DELETE FROM pgtrickle.pgt_snapshots s WHERE s.snapshot_id = gone.snapshot_id;
END
$fn$;
