-- The rows of a large delta after this one, as a message of its own: as that of a small delta, with the number of its last row
-- and whether it is the last part.
CREATE FUNCTION pgtrickle._relay_parts(delta_table text, message bigint, after_row bigint, most int)
RETURNS TABLE (last_row bigint, is_last boolean, came bigint, went bigint, payload bytea)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT coalesce(max(r.row_num), $2), '
        'NOT EXISTS (SELECT FROM pgtrickle.%1$I e WHERE e.outbox_id = $1 AND e.row_num > max(r.row_num)), '
        'count(*) FILTER (WHERE r.row_op = ''INSERT''), '
        'count(*) FILTER (WHERE r.row_op = ''DELETE''), convert_to(jsonb_build_object(''v'', 1, '
        '''inserted'', coalesce(jsonb_agg(r.row_data ORDER BY r.row_num) FILTER (WHERE r.row_op = ''INSERT''), ''[]''), '
        '''deleted'', coalesce(jsonb_agg(r.row_data ORDER BY r.row_num) FILTER (WHERE r.row_op = ''DELETE''), ''[]''))::text, ''UTF8'') '
        'FROM (SELECT * FROM pgtrickle.%1$I d WHERE d.outbox_id = $1 AND d.row_num > $2 ORDER BY d.row_num LIMIT $3) r', delta_table)
    USING message, after_row, most;
END
$fn$;
