-- Why a scheduled refresh is not to be done now, or NULL: what is held back by a gate or by watermarks, and a fuse that
-- blows at this moment. The first refresh that is held back tells; then the scheduler waits until the reason has gone.
CREATE FUNCTION pgtrickle._hold(st pgtrickle.pgt_stream_tables, pending bigint) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    why     text;
    ceiling bigint;
BEGIN
    IF EXISTS (SELECT FROM pgtrickle.pgt_source_gates) OR EXISTS (SELECT FROM pgtrickle.pgt_watermark_groups) THEN
        why := (SELECT min(h.reason) FROM pgtrickle.held h WHERE h.pgt_id = st.pgt_id);
    END IF;
    IF why IS NULL AND pending IS NOT NULL THEN
        ceiling := pgtrickle._fuse_ceiling(st);
        IF pending > ceiling THEN
            why := format('fuse blown: %s changes are pending, its ceiling is %s', pending, ceiling);
            UPDATE pgtrickle.pgt_stream_tables s
            SET status = 'SUSPENDED', fuse_state = 'blown', blown_at = clock_timestamp(), blow_reason = why, updated_at = clock_timestamp()
            WHERE s.pgt_id = st.pgt_id;
            PERFORM pgtrickle._alert('fuse_blown', st, jsonb_build_object('reason', why, 'pending', pending, 'ceiling', ceiling));
        END IF;
    END IF;
    IF why IS NOT NULL THEN
        INSERT INTO pgtrickle.pgt_refresh_history
            (pgt_id, data_timestamp, start_time, end_time, action, status, initiated_by, reason)
        VALUES (st.pgt_id, now(), now(), clock_timestamp(), 'SKIP', 'SKIPPED', 'SCHEDULER', why);
        IF why LIKE 'watermark of %' THEN
            PERFORM pgtrickle._alert('watermark_stuck', st, jsonb_build_object('reason', why));
        END IF;
    END IF;
    RETURN why;
END
$fn$;
