-- How often each stream table is looked at in fact, in seconds: its period, stretched by its tier. A calculated one follows
-- its sources; what it has to keep up with is the shortest period among those that read it, by whatever way over calculated
-- ones, and default_schedule_seconds where nobody does. NULL: at the moments of a cron expression, by its writers, or never.
CREATE FUNCTION pgtrickle.effective_schedules()
RETURNS TABLE (name text, schedule text, refresh_tier text, effective_seconds bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    WITH RECURSIVE own AS MATERIALIZED (
        SELECT s.pgt_id, s.pgt_relid, s.schedule IS NULL AND s.refresh_mode <> 'IMMEDIATE' AS is_calculated,
               pgtrickle.parse_duration_seconds(s.schedule)
                   * CASE WHEN NOT pgtrickle._setting('tiered_scheduling', 'on')::boolean THEN 1
                          WHEN s.refresh_tier = 'hot' THEN 1 WHEN s.refresh_tier = 'warm' THEN 2
                          WHEN s.refresh_tier = 'cold' THEN 10 END AS seconds
        FROM pgtrickle.pgt_stream_tables s
    ), below(pgt_id, reader, reader_relid, goes_on) AS (
        SELECT o.pgt_id, o.pgt_id, o.pgt_relid, true FROM own o WHERE o.is_calculated
        UNION
        SELECT b.pgt_id, r.pgt_id, r.pgt_relid, r.is_calculated
        FROM below b
        JOIN pgtrickle.pgt_dependencies d ON d.source_relid = b.reader_relid
        JOIN own r ON r.pgt_id = d.pgt_id
        WHERE b.goes_on
    ), shortest AS (
        SELECT b.pgt_id, min(CASE WHEN NOT r.is_calculated THEN r.seconds
                                  WHEN NOT EXISTS (SELECT FROM pgtrickle.pgt_dependencies d WHERE d.source_relid = r.pgt_relid)
                                  THEN pgtrickle._setting_number('default_schedule_seconds', '1') END) AS seconds
        FROM below b JOIN own r ON r.pgt_id = b.reader
        GROUP BY b.pgt_id
    )
    SELECT s.pgt_schema || '.' || s.pgt_name, s.schedule, s.refresh_tier,
           CASE WHEN s.refresh_tier = 'frozen' AND pgtrickle._setting('tiered_scheduling', 'on')::boolean THEN NULL
                WHEN o.is_calculated THEN coalesce(x.seconds, pgtrickle._setting_number('default_schedule_seconds', '1'))
                ELSE o.seconds END
    FROM pgtrickle.pgt_stream_tables s
    JOIN own o USING (pgt_id)
    LEFT JOIN shortest x USING (pgt_id)
    ORDER BY 1
$fn$;
