-- How each pipeline fares: who carries it, what waits, what was set aside. What waits is counted up to 10000 messages. A relay
-- tells of its pipelines every ten seconds: one that has not done so for thirty carries none.
CREATE FUNCTION pgtrickle.relay_status()
RETURNS TABLE (name text, direction text, enabled boolean, state text, reason text, since timestamptz, instance_id text,
               outbox text, inbox text, connector text, delivered_id bigint, lag bigint, oldest_age_seconds double precision,
               dead_letters bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    pipeline pgtrickle.pgt_relay_pipelines;
    here     pgtrickle.pgt_consumer_groups;
    told     pgtrickle.pgt_relay_states;
    made     text;
    behind   bigint;
    oldest   timestamptz;
    is_alone boolean;
BEGIN
    FOR pipeline IN SELECT p.* FROM pgtrickle.pgt_relay_pipelines p ORDER BY p.pipeline_name LOOP
        SELECT s.* INTO told FROM pgtrickle.pgt_relay_states s WHERE s.pipeline_name = pipeline.pipeline_name;
        SELECT g.* INTO here FROM pgtrickle.pgt_consumer_groups g WHERE g.group_name = pipeline.group_name;
        is_alone := told.told_at IS NULL OR told.told_at < clock_timestamp() - interval '30 s';
        made := (SELECT o.outbox_table_name FROM pgtrickle.pgt_outbox_config o WHERE o.outbox_name = here.outbox_name);
        behind := NULL;
        oldest := NULL;
        IF made IS NOT NULL THEN
            EXECUTE format(
                'SELECT count(*), min(w.created_at) FROM (SELECT m.created_at FROM pgtrickle.%1$I m WHERE '
                '(m.id > $1 AND pg_visible_in_snapshot(m.xid, $2) AND NOT pg_visible_in_snapshot(m.xid, $3)) '
                'OR (m.xid >= pg_snapshot_xmin($2) AND NOT pg_visible_in_snapshot(m.xid, $2)) LIMIT 10000) w', made)
            INTO behind, oldest USING here.delivered_id, here.cur, here.prev;
        END IF;
        RETURN QUERY SELECT
            pipeline.pipeline_name, pipeline.direction, pipeline.enabled,
            CASE WHEN NOT pipeline.enabled THEN 'disabled' WHEN is_alone THEN 'waiting' ELSE told.state END,
            CASE WHEN NOT pipeline.enabled THEN NULL
                 WHEN told.state IS NULL THEN 'no relay has taken it yet'
                 WHEN is_alone THEN 'no relay carries it, since ' || told.told_at::timestamptz(0) ELSE told.reason END,
            told.since, told.instance_id, pipeline.outbox_name, pipeline.inbox_name, pipeline.connector ->> 'type',
            here.delivered_id, behind, extract(epoch FROM clock_timestamp() - oldest)::double precision,
            (SELECT count(*) FROM pgtrickle.pgt_relay_dead_letters d WHERE d.pipeline_name = pipeline.pipeline_name);
    END LOOP;
END
$fn$;
