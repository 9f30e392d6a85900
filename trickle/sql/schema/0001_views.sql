CREATE VIEW pgtrickle.stream_tables_info AS
SELECT s.*,
       CASE WHEN f.snapshot IS NOT NULL THEN jsonb_build_object(
           'snapshot', f.snapshot::text, 'own_xid', f.own_xid::text, 'own_seq', f.own_seq,
           'data_timestamp', s.data_timestamp,
           'sources', (SELECT jsonb_object_agg(d.source_relid::text, d.source_schema || '.' || d.source_name)
                       FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = s.pgt_id)) END AS frontier,
       pgtrickle._staleness(s) AS staleness,
       -- Behind its schedule by more than the time between two looks of a worker.
       CASE WHEN s.schedule ~ '[\s@]' THEN NULL
            WHEN s.refresh_tier = 'frozen' AND tick.tiered THEN false
            ELSE extract(epoch FROM now() - s.last_refresh_at) > tick.seconds + pgtrickle.parse_duration_seconds(s.schedule)
                 * CASE WHEN NOT tick.tiered THEN 1 WHEN s.refresh_tier = 'warm' THEN 2 WHEN s.refresh_tier = 'cold' THEN 10
                        ELSE 1 END END AS stale,
       false AS is_topk
FROM pgtrickle.pgt_stream_tables s
LEFT JOIN pgtrickle.pgt_frontiers f USING (pgt_id)
CROSS JOIN (SELECT pgtrickle._setting_number('scheduler_interval_ms', '1000')::float8 / 1000 AS seconds,
                   pgtrickle._setting_flag('tiered_scheduling', 'on') AS tiered OFFSET 0) tick;

CREATE VIEW pgtrickle.pg_stat_stream_tables AS
SELECT i.pgt_id, i.pgt_schema, i.pgt_name, i.status, i.refresh_mode, i.is_populated, i.data_timestamp, i.schedule,
       i.staleness, i.stale, i.consecutive_errors, i.needs_reinit, i.last_refresh_at,
       h.total_refreshes, h.successful_refreshes, h.failed_refreshes, h.total_rows_inserted, h.total_rows_deleted,
       h.avg_duration_ms, l.action AS last_action, l.status AS last_status,
       (SELECT coalesce(array_agg(DISTINCT d.cdc_mode), '{}') FROM pgtrickle.pgt_dependencies d
        WHERE d.pgt_id = i.pgt_id AND d.source_type IN ('TABLE', 'STREAM_TABLE')) AS cdc_modes,
       i.scc_id, i.last_fixpoint_iterations, i.refresh_tier
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

-- Stream tables that the scheduler does not refresh for the time being, and why. Only what they read directly counts;
-- what reads them goes on. A group of watermarks concerns whoever reads two of its sources, once all of those have one.
CREATE VIEW pgtrickle.held AS
SELECT d.pgt_id, format('source gated: %s.%s', d.source_schema, d.source_name) AS reason
FROM pgtrickle.pgt_source_gates g JOIN pgtrickle.pgt_dependencies d USING (source_relid)
WHERE g.gated
UNION ALL
SELECT a.pgt_id, format('watermarks of group %s are further apart than %s s', a.group_name, a.tolerance_secs)
FROM (SELECT d.pgt_id, g.group_name, g.tolerance_secs,
             extract(epoch FROM max(w.watermark) - min(w.watermark)) AS apart,
             count(*) AS sources, count(w.watermark) AS known
      FROM pgtrickle.pgt_watermark_groups g
      JOIN pgtrickle.pgt_dependencies d ON d.source_relid = ANY (g.source_relids)
      LEFT JOIN pgtrickle.pgt_watermarks w USING (source_relid)
      GROUP BY d.pgt_id, g.group_id) a
WHERE a.sources >= 2 AND a.known = a.sources AND a.apart > a.tolerance_secs
UNION ALL
SELECT d.pgt_id, format('watermark of %s.%s has not advanced for %s s', d.source_schema, d.source_name, t.seconds)
FROM (SELECT pgtrickle._setting_seconds('watermark_holdback_timeout', '0') AS seconds OFFSET 0) t
JOIN pgtrickle.pgt_watermark_groups g ON t.seconds > 0
JOIN pgtrickle.pgt_dependencies d ON d.source_relid = ANY (g.source_relids)
JOIN pgtrickle.pgt_watermarks w USING (source_relid)
WHERE w.updated_at < clock_timestamp() - make_interval(secs => t.seconds);

-- Who holds the membership of which instance. Held exclusively: whoever watches an instance may hold it shared for a
-- moment after its end. pg_locks shows a key as two unsigned halves.
CREATE VIEW pgtrickle._memberships AS
SELECT i.group_id, i.instance_id, l.pid
FROM pgtrickle.pgt_instances i
JOIN pg_locks l ON l.locktype = 'advisory' AND l.objsubid = 2 AND l.mode = 'ExclusiveLock' AND l.granted
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND l.classid::bigint = hashtext(i.group_id)::bigint & 4294967295
    AND l.objid::bigint = hashtext('instance:' || i.instance_id)::bigint & 4294967295;

-- The keys under which a stream table may be claimed in a group: its own, and that of its shard for every number of
-- shards in use.
-- Computed before it is joined (OFFSET 0): the planner believes that there is hardly a lock, and would compute it for each.
CREATE VIEW pgtrickle._claim_keys AS
SELECT c.group_id, s.pgt_id,
       (CASE c.shards WHEN 0 THEN s.name_key
             ELSE hashtext('shard:' || (s.name_key & (c.shards - 1)) || '/' || c.shards) END)::bigint & 4294967295 AS key
FROM (SELECT pgt_id, hashtext(pgt_schema || '.' || pgt_name) AS name_key FROM pgtrickle.pgt_stream_tables OFFSET 0) s
CROSS JOIN (SELECT group_id, 0 AS shards FROM pgtrickle.pgt_instances
            UNION SELECT group_id, unnest(shard_counts) FROM pgtrickle.pgt_instances) c
OFFSET 0;

-- Every claim on a stream table, by its name or with its shard; names that hash alike share one lock. While a group goes
-- over from names to shards there may be two on one stream table: whoever came second sees it, says so, and waits.
CREATE VIEW pgtrickle._claims AS
WITH held AS MATERIALIZED (
    SELECT i.group_id, i.instance_id, i.hostname, i.pid, i.waits_for, l.pid AS backend_pid, l.objid::bigint AS key
    FROM pgtrickle.pgt_instances i
    JOIN pg_locks l ON l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.pid = i.backend_pid
        AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
        AND l.classid::bigint = hashtext(i.group_id)::bigint & 4294967295
)
SELECT DISTINCT h.group_id, s.pgt_id, s.pgt_schema, s.pgt_name, h.instance_id, h.hostname, h.pid, h.backend_pid,
       s.pgt_id = ANY (h.waits_for) AS waits
FROM held h
JOIN pgtrickle._claim_keys k ON k.group_id = h.group_id AND k.key = h.key
JOIN pgtrickle.pgt_stream_tables s USING (pgt_id);

-- Who works on which stream table: in each group one instance at most.
CREATE VIEW pgtrickle.ownership AS
SELECT DISTINCT ON (c.group_id, c.pgt_id)
       c.group_id, c.pgt_id, c.pgt_schema, c.pgt_name, c.instance_id, c.hostname, c.pid, c.backend_pid
FROM pgtrickle._claims c
ORDER BY c.group_id, c.pgt_id, c.waits, c.instance_id;

-- Instances, and whether each still holds its membership lock: a dead one's vanishes with its connection.
CREATE VIEW pgtrickle.instances AS
SELECT i.*, now() - i.heartbeat_at AS heartbeat_age,
       EXISTS (SELECT FROM pgtrickle._memberships m
               WHERE m.group_id = i.group_id AND m.instance_id = i.instance_id AND m.pid = i.backend_pid) AS is_live,
       coalesce(o.stream_tables, 0) AS stream_tables
FROM pgtrickle.pgt_instances i
LEFT JOIN (SELECT group_id, instance_id, count(*) AS stream_tables FROM pgtrickle.ownership GROUP BY 1, 2) o
    USING (group_id, instance_id);

-- Is all well? One row: EMPTY, OK, WARNING or CRITICAL.
CREATE VIEW pgtrickle.quick_health AS
SELECT q.total_stream_tables, q.error_tables, q.stale_tables, pgtrickle._scheduler_status() = 'ACTIVE' AS scheduler_running,
       CASE WHEN q.total_stream_tables = 0 THEN 'EMPTY' WHEN q.suspended > 0 THEN 'CRITICAL'
            WHEN q.error_tables > 0 OR q.stale_tables > 0 THEN 'WARNING' ELSE 'OK' END AS status
FROM (SELECT count(*) AS total_stream_tables,
             count(*) FILTER (WHERE i.status = 'ERROR' OR i.consecutive_errors > 0) AS error_tables,
             count(*) FILTER (WHERE i.stale) AS stale_tables,
             count(*) FILTER (WHERE i.status = 'SUSPENDED') AS suspended
      FROM pgtrickle.stream_tables_info i) q;

-- How each source of each stream table is captured.
CREATE VIEW pgtrickle.pgt_cdc_status AS
SELECT s.pgt_schema, s.pgt_name, d.source_relid, d.source_name, d.source_schema, d.cdc_mode,
       NULL::text AS slot_name, NULL::pg_lsn AS decoder_confirmed_lsn, NULL::timestamptz AS transition_started_at
FROM pgtrickle.pgt_dependencies d
JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
WHERE d.source_type = 'TABLE';
