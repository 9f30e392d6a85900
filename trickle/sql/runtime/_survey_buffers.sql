-- Tell of change buffers that hold too much, by the server's estimate: above buffer_alert_threshold, above it for several
-- surveys in a row, and above max_change_buffer_alert_rows. Returns how much was told.
CREATE FUNCTION pgtrickle._survey_buffers(pause float8) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    threshold bigint := pgtrickle._setting_number('buffer_alert_threshold', '1000000');
    in_a_row  int    := pgtrickle._setting_number('backpressure_consecutive_limit', '3')::int;
    overflow  bigint := pgtrickle._setting_number('max_change_buffer_alert_rows', '0');
    told      int := 0;
    item      record;
    seen      int;
    about     jsonb;
BEGIN
    FOR item IN
        SELECT t.source_id, t.source_relid::bigint AS oid, t.source_schema, t.source_name, b.rows
        FROM pgtrickle.pgt_change_tracking t
        JOIN pg_class c ON c.oid = to_regclass('pgtrickle_changes.changes_' || t.source_id)
        CROSS JOIN LATERAL (SELECT greatest(pg_stat_get_live_tuples(c.oid), c.reltuples::bigint) AS rows OFFSET 0) b
        WHERE b.rows > threshold OR overflow > 0 AND b.rows > overflow
           OR t.source_id IN (SELECT a.source_id FROM pgtrickle.pgt_alerts a WHERE a.event = 'buffer_above')
    LOOP
        about := jsonb_build_object('source_oid', item.oid, 'pgt_schema', item.source_schema, 'pgt_name', item.source_name,
                                    'pending_rows', item.rows);
        IF overflow > 0 AND item.rows > overflow THEN
            told := told + pgtrickle._alert_seldom('change_buffer_overflow', NULL, item.source_id,
                                                   about || jsonb_build_object('threshold', overflow), pause)::int;
        END IF;
        IF item.rows <= threshold THEN
            DELETE FROM pgtrickle.pgt_alerts a WHERE a.event = 'buffer_above' AND a.source_id = item.source_id;
            CONTINUE;
        END IF;
        INSERT INTO pgtrickle.pgt_alerts AS a (event, source_id) VALUES ('buffer_above', item.source_id)
        ON CONFLICT ON CONSTRAINT pgt_alerts_pkey DO UPDATE SET times = a.times + 1
        RETURNING a.times INTO seen;
        about := about || jsonb_build_object('threshold', threshold, 'consecutive_cycles', seen);
        told := told + pgtrickle._alert_seldom('buffer_growth_warning', NULL, item.source_id, about, pause)::int;
        IF in_a_row > 0 AND seen >= in_a_row THEN
            told := told + pgtrickle._alert_seldom('change_buffer_backpressure', NULL, item.source_id, about, pause)::int;
        END IF;
    END LOOP;
    RETURN told;
END
$fn$;
