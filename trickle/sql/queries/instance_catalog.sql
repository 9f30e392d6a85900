-- All stream tables, as far as scheduling needs them, with the stream tables each one reads.
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
       hashtext(s.pgt_schema || '.' || s.pgt_name) AS name_key
  FROM pgtrickle.pgt_stream_tables AS s
 ORDER BY s.pgt_id
