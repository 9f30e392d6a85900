-- What partition_by says, as the PARTITION BY clause of the storage: 'a' or 'a,b' by range, 'LIST:a', 'HASH:a' or 'HASH:a:8'.
-- Columns are those of `relation`; `pieces` is how many hash partitions there are to be, 0 otherwise.
CREATE FUNCTION pgtrickle._partition_clause(partition_by text, relation regclass, OUT clause text, OUT pieces int)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
DECLARE
    found   text[] := regexp_match(partition_by, '^\s*(?:(range|list|hash)\s*:)?\s*(.*?)\s*(?::\s*(\d{1,4}))?\s*$', 'i');
    method  text := upper(coalesce(found[1], 'RANGE'));
    wanted  text;
    columns text[] := '{}';
    outputs text[] := ARRAY(SELECT a.attname::text FROM pg_attribute a
                            WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
                              AND a.attname NOT LIKE '\_\_pgt\_%' ORDER BY a.attnum);
BEGIN
    pieces := CASE WHEN method = 'HASH' THEN coalesce(found[3]::int, 4) ELSE 0 END;
    FOREACH wanted IN ARRAY string_to_array(coalesce(nullif(found[2], ''), ' '), ',') LOOP
        wanted := trim(wanted);
        IF NOT wanted = ANY (outputs) AND wanted LIKE '"%"' THEN
            wanted := replace(substr(wanted, 2, length(wanted) - 2), '""', '"');
        END IF;
        IF NOT wanted = ANY (outputs) THEN
            RAISE EXCEPTION 'invalid argument: partition_by names column "%", which the query does not show', wanted
                USING ERRCODE = '22023', DETAIL = 'Its columns: ' || array_to_string(outputs, ', ') || '.',
                      HINT = 'Write ''a'' or ''a,b'' for ranges, ''LIST:a'', ''HASH:a'' or ''HASH:a:8''.';
        END IF;
        columns := columns || quote_ident(wanted);
    END LOOP;
    IF method <> 'HASH' AND found[3] IS NOT NULL OR method = 'LIST' AND cardinality(columns) > 1 OR method = 'HASH' AND pieces < 1 THEN
        RAISE EXCEPTION 'invalid argument: partition_by "%"', partition_by
            USING ERRCODE = '22023', HINT = 'Write ''a'' or ''a,b'' for ranges, ''LIST:a'', ''HASH:a'' or ''HASH:a:8''.';
    END IF;
    clause := format('PARTITION BY %s (%s)', method, array_to_string(columns, ', '));
END
$fn$;
