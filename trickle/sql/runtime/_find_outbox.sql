-- An outbox by the name of its stream table, by its own name or that of its table or view.
CREATE FUNCTION pgtrickle._find_outbox(name text, default_schema text, if_exists boolean DEFAULT false)
RETURNS pgtrickle.pgt_outbox_config
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    box    pgtrickle.pgt_outbox_config;
    wanted text[] := pgtrickle._split_name(name, default_schema);
    bare   text := CASE WHEN wanted[1] = 'pgtrickle' THEN wanted[2] ELSE name END;
BEGIN
    SELECT o.* INTO box FROM pgtrickle.pgt_outbox_config o
    LEFT JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
    WHERE o.outbox_name = name OR s.pgt_schema = wanted[1] AND s.pgt_name = wanted[2]
       OR o.outbox_table_name IN (bare, regexp_replace(bare, '^pgt_', ''))
    ORDER BY o.outbox_name = name DESC LIMIT 1;
    IF box.outbox_name IS NULL AND NOT if_exists THEN
        RAISE EXCEPTION 'outbox not found: %', name
            USING ERRCODE = '42704', HINT = 'pgtrickle.enable_outbox(stream table) or pgtrickle.create_outbox(name) makes one.';
    END IF;
    RETURN box;
END
$fn$;
