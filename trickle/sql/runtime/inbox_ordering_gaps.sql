-- Where sequence numbers are missing among the messages that wait: before the first of an aggregate (unless it begins with
-- what follows the last processed one), or between two.
CREATE FUNCTION pgtrickle.inbox_ordering_gaps(inbox_name text)
RETURNS TABLE (aggregate_id text, expected_seq bigint, found_seq bigint)
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    box pgtrickle.pgt_inbox_config := pgtrickle._find_inbox(inbox_ordering_gaps.inbox_name);
BEGIN
    IF box.aggregate_id_col IS NULL THEN
        RAISE EXCEPTION 'ordering is not enabled for inbox: %', box.inbox_name USING ERRCODE = '42704';
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT m.a::text, m.before + 1, m.seq FROM (SELECT %1$I AS a, %2$I::bigint AS seq, %3$I IS NULL AS waits, '
        'lag(%2$I::bigint) OVER (PARTITION BY %1$I ORDER BY %2$I) AS before FROM %4$I.%5$I WHERE %2$I IS NOT NULL) m '
        'WHERE m.waits AND m.before + 1 < m.seq ORDER BY 1, 2',
        box.aggregate_id_col, box.sequence_num_col, box.processed_at_column, box.inbox_schema, box.table_name);
END
$fn$;
