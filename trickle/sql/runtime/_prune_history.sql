-- Remove at most one batch of the oldest history: what is older than history_retention_days, and what is more than
-- history_max_rows; 0 keeps it. It is read from the oldest entry on, so that a call costs no more than its batch.
-- Returns how many entries went.
CREATE FUNCTION pgtrickle._prune_history(batch_rows int DEFAULT 2000) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    days     int    := pgtrickle._setting_number('history_retention_days', '90')::int;
    max_rows bigint := pgtrickle._setting_number('history_max_rows', '1000000');
    newest   bigint := (SELECT max(r.refresh_id) FROM pgtrickle.pgt_refresh_history r);
    removed  bigint;
BEGIN
    DELETE FROM pgtrickle.pgt_refresh_history h
    USING (SELECT r.refresh_id, r.start_time FROM pgtrickle.pgt_refresh_history r
           ORDER BY r.refresh_id LIMIT batch_rows FOR UPDATE SKIP LOCKED) oldest
    WHERE h.refresh_id = oldest.refresh_id
      AND (days > 0 AND oldest.start_time < now() - make_interval(days => days)
           OR max_rows > 0 AND oldest.refresh_id <= newest - max_rows);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$fn$;
