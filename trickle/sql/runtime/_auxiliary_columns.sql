CREATE FUNCTION pgtrickle._auxiliary_columns(relid oid)
RETURNS TABLE (column_name text, data_type text, purpose text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    SELECT a.attname::text, format_type(a.atttypid, a.atttypmod),
           CASE WHEN a.attname = '__pgt_hash' THEN 'hash of the row, by which it is found again'
                WHEN a.attname LIKE '\_\_pgt\_key\_%' THEN 'key of the row that the query does not select'
                WHEN a.attname = '__pgt_count' THEN 'how many rows the group has'
                WHEN a.attname LIKE '\_\_pgt\_count\_%' THEN 'how many values an aggregate of the group has'
                WHEN a.attname LIKE '\_\_pgt\_sum\_%' THEN 'sum that an aggregate of the group is computed from'
                ELSE 'needed by the program' END
    FROM pg_attribute a
    WHERE a.attrelid = relid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname LIKE '\_\_pgt\_%'
    ORDER BY a.attnum
$fn$;
