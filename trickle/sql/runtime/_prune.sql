-- Remove a batch of changes that every consumer of a source has consumed, without blocking a writer or a refresh.
-- The source's row is locked first and the frontiers are read in a later statement: a creator that is filling holds
-- that row by its foreign key, and is either seen or waited out by skipping this turn. A consumer without a frontier
-- fills by a snapshot of its own; its row must be free, so that the fill comes after this transaction.
-- The horizon is the cheap form: everything below it was visible to all frontiers. IMMEDIATE stream tables read
-- nothing of other transactions, so what is over has no more use for them. Snapshots keep what was captured since they were
-- taken, for as long as pg_trickle.snapshot_hold_hours says.
CREATE FUNCTION pgtrickle._prune(source_id int, batch_rows int DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    horizon xid8;
    removed bigint;
    unfilled bigint;
    any_row boolean;
    consumers bigint[];
BEGIN
    PERFORM FROM pgtrickle.pgt_change_tracking t WHERE t.source_id = _prune.source_id FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM pgtrickle_changes.changes_%1$s WHERE xid < $1) '
                   'OR EXISTS (SELECT FROM pgtrickle_changes.markers WHERE source_id = %1$s AND xid < $1)', source_id)
    INTO any_row USING pg_snapshot_xmin(pg_current_snapshot());
    consumers := ARRAY(SELECT d.pgt_id FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
                       WHERE d.source_id = _prune.source_id AND s.refresh_mode <> 'IMMEDIATE');
    IF NOT any_row THEN
        PERFORM pgtrickle._limit_buffer(_prune.source_id, consumers);
        RETURN 0;
    END IF;
    -- Written and not only locked: a REPEATABLE READ refresh whose snapshot is older than this then fails and retries.
    UPDATE pgtrickle.pgt_frontiers f SET markers = 0
    FROM (SELECT l.pgt_id FROM pgtrickle.pgt_frontiers l
          WHERE l.snapshot IS NULL AND l.pgt_id = ANY (consumers)
          ORDER BY l.pgt_id FOR NO KEY UPDATE SKIP LOCKED) free
    WHERE f.pgt_id = free.pgt_id;
    GET DIAGNOSTICS unfilled = ROW_COUNT;
    IF unfilled <> (SELECT count(*) FROM pgtrickle.pgt_frontiers f
                    WHERE f.pgt_id = ANY (consumers) AND f.snapshot IS NULL) THEN
        RETURN 0;
    END IF;
    SELECT least(min(least(pg_snapshot_xmin(f.snapshot), f.own_xid)), pg_snapshot_xmin(pg_current_snapshot()))
    INTO horizon
    FROM (SELECT f.snapshot, f.own_xid FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = ANY (consumers)
          UNION ALL
          SELECT s.snapshot, s.own_xid FROM pgtrickle._held_snapshots() s WHERE s.pgt_id = ANY (consumers)) f
    WHERE f.snapshot IS NOT NULL;

    EXECUTE format(
        'DELETE FROM pgtrickle_changes.changes_%1$s WHERE ctid = ANY (ARRAY('
        'SELECT ctid FROM pgtrickle_changes.changes_%1$s WHERE xid < $1 ORDER BY xid LIMIT $2))', source_id)
    USING horizon, batch_rows;
    GET DIAGNOSTICS removed = ROW_COUNT;
    DELETE FROM pgtrickle_changes.markers m WHERE m.source_id = _prune.source_id AND m.xid < horizon;
    UPDATE pgtrickle.pgt_change_tracking t SET pruned_below = greatest(t.pruned_below, horizon)
    WHERE t.source_id = _prune.source_id AND (removed > 0 OR FOUND);
    IF removed = 0 THEN
        PERFORM pgtrickle._limit_buffer(_prune.source_id, consumers);
    END IF;
    RETURN removed;
END
$fn$;
