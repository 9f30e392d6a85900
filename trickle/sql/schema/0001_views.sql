CREATE VIEW pgtrickle.stream_tables_info AS
SELECT s.*,
       CASE WHEN f.snapshot IS NOT NULL THEN jsonb_build_object(
           'snapshot', f.snapshot::text, 'own_xid', f.own_xid::text, 'own_seq', f.own_seq,
           'data_timestamp', s.data_timestamp,
           'sources', (SELECT jsonb_object_agg(d.source_relid::text, d.source_schema || '.' || d.source_name)
                       FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = s.pgt_id)) END AS frontier,
       pgtrickle._staleness(s) AS staleness,
       CASE WHEN s.schedule ~ '[\s@]' THEN NULL
            ELSE extract(epoch FROM now() - s.last_refresh_at) > pgtrickle.parse_duration_seconds(s.schedule) END AS stale,
       false AS is_topk
FROM pgtrickle.pgt_stream_tables s
LEFT JOIN pgtrickle.pgt_frontiers f USING (pgt_id);

CREATE VIEW pgtrickle.pg_stat_stream_tables AS
SELECT i.pgt_id, i.pgt_schema, i.pgt_name, i.status, i.refresh_mode, i.is_populated, i.data_timestamp, i.schedule,
       i.staleness, i.stale, i.consecutive_errors, i.needs_reinit, i.last_refresh_at,
       h.total_refreshes, h.successful_refreshes, h.failed_refreshes, h.total_rows_inserted, h.total_rows_deleted,
       h.avg_duration_ms, l.action AS last_action, l.status AS last_status,
       (SELECT coalesce(array_agg(DISTINCT d.cdc_mode), '{}') FROM pgtrickle.pgt_dependencies d
        WHERE d.pgt_id = i.pgt_id AND d.source_type IN ('TABLE', 'STREAM_TABLE')) AS cdc_modes,
       NULL::int AS scc_id, NULL::int AS last_fixpoint_iterations, i.refresh_tier
FROM pgtrickle.stream_tables_info i
CROSS JOIN LATERAL (
    SELECT count(*) AS total_refreshes,
           count(*) FILTER (WHERE r.status = 'COMPLETED') AS successful_refreshes,
           count(*) FILTER (WHERE r.status = 'FAILED') AS failed_refreshes,
           coalesce(sum(r.rows_inserted), 0)::bigint AS total_rows_inserted,
           coalesce(sum(r.rows_deleted), 0)::bigint AS total_rows_deleted,
           (avg(extract(epoch FROM r.end_time - r.start_time) * 1000) FILTER (WHERE r.status = 'COMPLETED'))::float8
               AS avg_duration_ms
    FROM pgtrickle.pgt_refresh_history r WHERE r.pgt_id = i.pgt_id) h
LEFT JOIN LATERAL (
    SELECT r.action, r.status FROM pgtrickle.pgt_refresh_history r WHERE r.pgt_id = i.pgt_id
    ORDER BY r.start_time DESC, r.refresh_id DESC LIMIT 1) l ON true;

-- Who holds which name. pg_locks shows a key as two unsigned halves; names that hash alike share one row there.
CREATE VIEW pgtrickle.ownership AS
SELECT i.group_id, s.pgt_id, s.pgt_schema, s.pgt_name, i.instance_id, i.hostname, i.pid, l.pid AS backend_pid
FROM pgtrickle.pgt_instances i
JOIN pg_locks l ON l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.pid = i.backend_pid
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND l.classid::bigint = hashtext(i.group_id)::bigint & 4294967295
JOIN pgtrickle.pgt_stream_tables s
    ON l.objid::bigint = hashtext(s.pgt_schema || '.' || s.pgt_name)::bigint & 4294967295;

-- Instances, and whether each still holds its membership lock: a dead one's vanishes with its connection.
CREATE VIEW pgtrickle.instances AS
SELECT i.*, now() - i.heartbeat_at AS heartbeat_age, EXISTS (
           SELECT FROM pg_locks l
           WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.pid = i.backend_pid
             AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
             AND l.classid::bigint = hashtext(i.group_id)::bigint & 4294967295
             AND l.objid::bigint = hashtext('instance:' || i.instance_id)::bigint & 4294967295) AS is_live,
       (SELECT count(*) FROM pgtrickle.ownership o WHERE o.instance_id = i.instance_id) AS stream_tables
FROM pgtrickle.pgt_instances i;
