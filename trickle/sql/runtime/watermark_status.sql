-- For each group: how far apart its sources are. Fewer than two watermarks cannot be apart.
CREATE FUNCTION pgtrickle.watermark_status()
RETURNS TABLE (group_name text, min_watermark timestamptz, max_watermark timestamptz, lag_secs float8, aligned boolean,
               sources_with_watermark int, sources_total int)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT g.group_name, m.least, m.greatest, m.lag, m.lag <= g.tolerance_secs, m.known, cardinality(g.source_relids)
    FROM pgtrickle.pgt_watermark_groups g
    CROSS JOIN LATERAL (
        SELECT min(w.watermark) AS least, max(w.watermark) AS greatest, count(*)::int AS known,
               coalesce(extract(epoch FROM max(w.watermark) - min(w.watermark)), 0)::float8 AS lag
        FROM pgtrickle.pgt_watermarks w WHERE w.source_relid = ANY (g.source_relids)) m
    ORDER BY 1
$fn$;
