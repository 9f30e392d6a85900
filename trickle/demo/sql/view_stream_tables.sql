-- One row per stream table: is it current, what did its last refresh do, and who owns it.
-- A refresh with nothing to do writes no history, so the last row tells of the last real one.
SELECT s.pgt_name AS name,
       coalesce(s.effective_refresh_mode, s.refresh_mode) AS mode,
       s.status,
       s.last_error_message AS error,
       coalesce(p.has_changes, true) AS is_behind,
       coalesce(extract(epoch FROM clock_timestamp() - s.last_refresh_at), 0)::float8 AS refreshed_seconds_ago,
       extract(epoch FROM h.end_time - h.start_time)::float8 * 1000 AS refresh_ms,
       coalesce(h.rows_inserted, 0) AS rows_inserted,
       coalesce(h.rows_updated, 0) AS rows_updated,
       coalesce(h.rows_deleted, 0) AS rows_deleted,
       o.instance_id
  FROM pgtrickle.pgt_stream_tables AS s
  LEFT JOIN pgtrickle.pending() AS p USING (pgt_id)
  LEFT JOIN (SELECT pgt_id, min(instance_id) AS instance_id FROM pgtrickle.ownership GROUP BY pgt_id) AS o
      USING (pgt_id)
  LEFT JOIN LATERAL (
        SELECT r.* FROM pgtrickle.pgt_refresh_history AS r
         WHERE r.pgt_id = s.pgt_id AND r.initiated_by <> 'INITIAL'
         ORDER BY r.start_time DESC, r.refresh_id DESC
         LIMIT 1) AS h ON true
 ORDER BY s.pgt_id
