CREATE FUNCTION pgtrickle._assert_inbox_columns(box pgtrickle.pgt_inbox_config, columns text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    missing text;
BEGIN
    SELECT string_agg(c, ', ') INTO missing FROM unnest(columns) c
    WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = format('%I.%I', box.inbox_schema, box.table_name)::regclass
                      AND a.attname = c AND a.attnum > 0 AND NOT a.attisdropped);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'inbox column missing in %.%: %', box.inbox_schema, box.table_name, missing USING ERRCODE = '42703';
    END IF;
END
$fn$;
