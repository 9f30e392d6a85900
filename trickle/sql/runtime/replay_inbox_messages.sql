-- Have messages processed again: as if they had just come. Returns how many there are.
CREATE FUNCTION pgtrickle.replay_inbox_messages(name text, event_ids text[]) RETURNS bigint
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    box     pgtrickle.pgt_inbox_config := pgtrickle._find_inbox(name);
    changed bigint;
BEGIN
    EXECUTE format('UPDATE %I.%I SET %I = NULL, %I = 0%s WHERE %I::text = ANY ($1)', box.inbox_schema, box.table_name,
                   box.processed_at_column, box.retry_count_column, CASE WHEN box.error_column IS NOT NULL THEN format(', %I = NULL', box.error_column) ELSE '' END, box.id_column)
    USING event_ids;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$fn$;
