-- Rows of a change buffer, and those among them that a stream table has not consumed: counted up to a bound, and beyond
-- it as the server estimates them. To a stream table without a frontier every row is new.
-- The locks of counting go with a subtransaction: whoever asks for ten thousand buffers needs more than the server has.
CREATE FUNCTION pgtrickle._count_changes(
    source_id int, pgt_id bigint, bound int DEFAULT 10000,
    OUT row_count bigint, OUT pending_rows bigint, OUT is_estimate boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    f      pgtrickle.pgt_frontiers;
    buffer regclass := to_regclass(format('pgtrickle_changes.changes_%s', _count_changes.source_id));
BEGIN
    IF buffer IS NULL THEN
        row_count := 0; pending_rows := 0; is_estimate := false;
        RETURN;
    END IF;
    SELECT t.* INTO f FROM pgtrickle.pgt_frontiers t WHERE t.pgt_id = _count_changes.pgt_id;
    BEGIN
        EXECUTE format('SELECT count(*) FROM (SELECT FROM %s LIMIT $1) x', buffer) INTO row_count USING bound + 1;
        IF f.snapshot IS NULL THEN
            pending_rows := row_count;
        ELSE
            EXECUTE format('SELECT count(*) FROM (SELECT FROM %s x WHERE x.xid >= $1 AND CASE WHEN x.xid = $2 THEN x.seq > $3 '
                           'ELSE NOT pg_visible_in_snapshot(x.xid, $4) END LIMIT $5) x', buffer)
            INTO pending_rows
            USING least(pg_snapshot_xmin(f.snapshot), f.own_xid), f.own_xid, f.own_seq, f.snapshot, bound + 1;
        END IF;
        RAISE SQLSTATE 'PGT02';
    EXCEPTION WHEN SQLSTATE 'PGT02' THEN
        NULL;
    END;
    is_estimate := row_count > bound;
    IF is_estimate THEN
        row_count := greatest(row_count, pg_stat_get_live_tuples(buffer), (
            SELECT c.reltuples FROM pg_class c WHERE c.oid = buffer)::bigint);
        IF pending_rows > bound THEN
            pending_rows := row_count;
        END IF;
    END IF;
END
$fn$;
