CREATE FUNCTION pgtrickle._track_inbox(
    name text, relid oid, needed text[], wanted text[], max_retries int, schedule text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    has     text[] := ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = relid AND a.attnum > 0 AND NOT a.attisdropped);
    missing text;
BEGIN
    PERFORM pgtrickle._assert_inbox_name(name);
    SELECT string_agg(n, ', ') INTO missing FROM unnest(needed) n WHERE NOT n = ANY (has);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'inbox column missing in %: %', relid::regclass, missing
            USING ERRCODE = '42703', HINT = 'Name the columns: id_column, processed_at_column, retry_count_column.';
    END IF;
    INSERT INTO pgtrickle.pgt_inbox_config
        (inbox_name, inbox_schema, table_name, max_retries, schedule, with_dead_letter, with_stats, retention_hours, id_column,
         processed_at_column, retry_count_column, error_column, received_at_column, event_type_column, is_managed)
    SELECT name, n.nspname, c.relname, _track_inbox.max_retries, _track_inbox.schedule, false, false,
           pgtrickle._setting_number('inbox_processed_retention_hours', '72')::int, needed[1], needed[2], needed[3],
           CASE WHEN wanted[1] = ANY (has) THEN wanted[1] END, CASE WHEN wanted[2] = ANY (has) THEN wanted[2] END,
           CASE WHEN wanted[3] = ANY (has) THEN wanted[3] END, false
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relid;
    PERFORM pgtrickle._create_inbox_views(name);
END
$fn$;
