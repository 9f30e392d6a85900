-- How many captured changes a stream table has not consumed, counted no further than `at_most` for each source.
CREATE FUNCTION pgtrickle._pending_changes(pgt_id bigint, at_most bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    f       pgtrickle.pgt_frontiers;
    source  int;
    counted bigint;
    total   bigint := 0;
BEGIN
    SELECT t.* INTO f FROM pgtrickle.pgt_frontiers t WHERE t.pgt_id = _pending_changes.pgt_id;
    IF f.snapshot IS NULL THEN
        RETURN 0;  -- it is filled from the sources themselves
    END IF;
    FOR source IN
        SELECT d.source_id FROM pgtrickle.pgt_dependencies d
        WHERE d.pgt_id = _pending_changes.pgt_id AND d.source_id IS NOT NULL
    LOOP
        EXECUTE format(
            'SELECT count(*) FROM ('
            '(SELECT FROM pgtrickle_changes.changes_%1$s x WHERE x.xid >= $1 AND x.xid <> $3 ORDER BY x.xid LIMIT $5) UNION ALL '
            '(SELECT FROM pgtrickle_changes.changes_%1$s x WHERE x.xid = ANY ($2) AND x.xid <> $3 ORDER BY x.xid LIMIT $5) UNION ALL '
            '(SELECT FROM pgtrickle_changes.changes_%1$s x WHERE x.xid = $3 AND x.seq > $4 ORDER BY x.xid LIMIT $5)) c', source)
        INTO counted
        USING pg_snapshot_xmax(f.snapshot), ARRAY(SELECT pg_snapshot_xip(f.snapshot)), f.own_xid, f.own_seq, at_most;
        total := total + counted;
    END LOOP;
    RETURN total;
END
$fn$;
