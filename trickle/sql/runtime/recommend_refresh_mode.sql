-- Which refresh mode the history, the sizes and the query speak for, for one stream table or for all; advice, never applied.
CREATE FUNCTION pgtrickle.recommend_refresh_mode(st_name text DEFAULT NULL)
RETURNS TABLE (pgt_schema text, pgt_name text, current_mode text, effective_mode text, recommended_mode text,
               confidence text, reason text, signals jsonb)
LANGUAGE plpgsql STABLE AS $fn$
DECLARE
    wanted pg_catalog.int8;
BEGIN
    IF recommend_refresh_mode.st_name IS NOT NULL THEN
        wanted := (pgtrickle._resolve(recommend_refresh_mode.st_name, current_schema()::pg_catalog.text)).pgt_id;
    END IF;
    RETURN QUERY
    SELECT s.pgt_schema, s.pgt_name, s.refresh_mode, r.*
    FROM pgtrickle.pgt_stream_tables s CROSS JOIN LATERAL pgtrickle._recommend_mode(s) r
    WHERE wanted IS NULL OR s.pgt_id OPERATOR(pg_catalog.=) wanted
    ORDER BY 1, 2;
END
$fn$;
