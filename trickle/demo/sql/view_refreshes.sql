-- What all refreshes have done since the replay began. %(since)s
SELECT count(*) AS refreshes,
       count(*) FILTER (WHERE action = 'FULL') AS full_refreshes,
       count(*) FILTER (WHERE status = 'FAILED') AS failures,
       coalesce(sum(rows_inserted + rows_updated + rows_deleted), 0)::bigint AS rows_changed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM end_time - start_time)::float8 * 1000) AS median_ms
  FROM pgtrickle.pgt_refresh_history
 WHERE start_time >= %(since)s AND initiated_by <> 'INITIAL'
