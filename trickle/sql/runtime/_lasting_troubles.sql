-- What is not as it should be and has been so for longer than a refresh takes: stream tables far behind their schedule,
-- fuses that stay blown, capture that somebody switched off. Asked for each minute, so it reads in a few statements over all.
CREATE FUNCTION pgtrickle._lasting_troubles() RETURNS TABLE (event text, pgt_id bigint, source_id int, details jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    WITH tick AS MATERIALIZED (SELECT pgtrickle._setting_flag('tiered_scheduling', 'on') AS tiered), due AS MATERIALIZED (
        SELECT s.pgt_id, extract(epoch FROM now() - s.last_refresh_at)::float8 AS age,
               CASE WHEN s.schedule !~ '[\s@]' THEN pgtrickle.parse_duration_seconds(s.schedule)
                    * CASE WHEN NOT tick.tiered THEN 1 WHEN s.refresh_tier = 'warm' THEN 2 WHEN s.refresh_tier = 'cold' THEN 10 ELSE 1 END
               END AS seconds, s.schedule IS NULL AS is_calculated,
               -- As the statistics tell, which costs nothing.
               EXISTS (SELECT FROM pgtrickle.pgt_dependencies d
                       WHERE d.pgt_id = s.pgt_id AND (d.cdc_mode = 'POLL' OR pg_stat_get_live_tuples(
                           to_regclass('pgtrickle_changes.changes_' || d.source_id)) > 0)) AS is_fed
        FROM pgtrickle.pgt_stream_tables s, tick
        WHERE s.status = 'ACTIVE' AND s.refresh_mode <> 'IMMEDIATE' AND NOT (tick.tiered AND s.refresh_tier = 'frozen')
    )
    SELECT 'stale_data', d.pgt_id, NULL::int, jsonb_strip_nulls(jsonb_build_object(
               'staleness_seconds', round(d.age::numeric, 1), 'schedule_seconds', d.seconds,
               'ratio', round((d.age / d.seconds)::numeric, 2)))
    FROM due d
    WHERE (d.age > 3 * d.seconds + 2 OR d.is_calculated AND d.age > 60 AND d.is_fed AND pgtrickle._has_changes(d.pgt_id))
      AND NOT EXISTS (SELECT FROM pgtrickle.held h WHERE h.pgt_id = d.pgt_id)
    UNION ALL
    SELECT 'fuse_blown_reminder', s.pgt_id, NULL, jsonb_build_object(
               'blown_seconds', round(extract(epoch FROM now() - s.blown_at), 1), 'reason', s.blow_reason)
    FROM pgtrickle.pgt_stream_tables s WHERE s.fuse_state = 'blown'
    UNION ALL
    SELECT 'cdc_trigger_disabled', NULL, t.source_id, jsonb_build_object(
               'source_oid', t.source_relid::bigint, 'pgt_schema', t.source_schema, 'pgt_name', t.source_name, 'fault', f.fault)
    FROM pgtrickle._doubtful_captures() t
    CROSS JOIN LATERAL (SELECT pgtrickle._capture_fault(t.source_relid, t.source_id) AS fault OFFSET 0) f
    WHERE f.fault IS NOT NULL
$fn$;
