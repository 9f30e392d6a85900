-- Drop an inbox and its stream tables; with `cascade` also its table, when create_inbox has made it.
CREATE FUNCTION pgtrickle.drop_inbox(name text, if_exists boolean DEFAULT false, cascade boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    box pgtrickle.pgt_inbox_config := pgtrickle._find_inbox(name, if_exists);
BEGIN
    IF box.inbox_name IS NULL THEN
        RETURN;
    END IF;
    PERFORM pgtrickle.drop_stream_table(s.pgt_schema || '.' || s.pgt_name)
    FROM (SELECT s.pgt_schema, s.pgt_name FROM pgtrickle.pgt_stream_tables s
          WHERE s.pgt_schema = box.inbox_schema
            AND s.pgt_name IN ('next_' || name, name || '_pending', name || '_dlq', name || '_stats')
          ORDER BY s.pgt_name <> 'next_' || name) s;
    DELETE FROM pgtrickle.pgt_inbox_config i WHERE i.inbox_name = name;
    IF cascade AND box.is_managed THEN
        EXECUTE format('DROP TABLE %I.%I', box.inbox_schema, box.table_name);
    END IF;
END
$fn$;
