-- All stream tables, as far as scheduling needs them, with what each one reads.
SELECT s.pgt_id,
       s.pgt_schema,
       s.pgt_name,
       s.schedule,
       s.refresh_tier,
       s.refresh_mode,
       s.status,
       s.is_populated,
       s.needs_reinit,
       s.program_state,
       s.program_version,
       s.last_refresh_at,
       s.consecutive_errors,
       ARRAY(SELECT u.pgt_id
               FROM pgtrickle.pgt_dependencies AS d
               JOIN pgtrickle.pgt_stream_tables AS u ON u.pgt_relid = d.source_relid
              WHERE d.pgt_id = s.pgt_id) AS upstream,
       ARRAY(SELECT d.source_relid::bigint
               FROM pgtrickle.pgt_dependencies AS d
              WHERE d.pgt_id = s.pgt_id
                AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables AS u WHERE u.pgt_relid = d.source_relid)) AS sources,
       s.diamond_consistency = 'atomic' AS is_atomic,
       s.diamond_schedule_policy = 'slowest' AS is_slowest,
       g.group_id AS refresh_group,
       coalesce(g.isolation = 'repeatable_read', false) AS group_has_one_snapshot,
       h.reason AS held,
       s.freshness_deadline_ms / 1000.0::float8 AS deadline_seconds,
       hashtext(s.pgt_schema || '.' || s.pgt_name) AS name_key
  FROM pgtrickle.pgt_stream_tables AS s
  LEFT JOIN (SELECT r.group_id, r.isolation, unnest(r.member_pgt_ids) AS pgt_id
               FROM pgtrickle.pgt_refresh_groups AS r) AS g USING (pgt_id)
  LEFT JOIN (SELECT pgt_id, min(reason) AS reason FROM pgtrickle.held GROUP BY pgt_id) AS h USING (pgt_id)
 ORDER BY s.pgt_id
