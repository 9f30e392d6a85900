-- What the history says of each stream table, in one pass.
CREATE FUNCTION pgtrickle._history_statistics()
RETURNS TABLE (pgt_id bigint, total bigint, successful bigint, failed bigint, inserted bigint, deleted bigint, avg_ms float8)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT r.pgt_id, count(*), count(*) FILTER (WHERE r.status = 'COMPLETED'), count(*) FILTER (WHERE r.status = 'FAILED'),
           coalesce(sum(r.rows_inserted), 0)::bigint, coalesce(sum(r.rows_deleted), 0)::bigint,
           (avg(extract(epoch FROM r.end_time - r.start_time)) FILTER (WHERE r.status = 'COMPLETED') * 1000)::float8
    FROM pgtrickle.pgt_refresh_history r
    GROUP BY r.pgt_id
$fn$;
