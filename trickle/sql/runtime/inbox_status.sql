-- The inboxes, or one of them.
CREATE FUNCTION pgtrickle.inbox_status(name text DEFAULT NULL)
RETURNS TABLE (inbox_name text, inbox_schema text, max_retries int, schedule text, with_dead_letter boolean, with_stats boolean,
               created_at timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT i.inbox_name, i.inbox_schema, i.max_retries, i.schedule, i.with_dead_letter, i.with_stats, i.created_at
    FROM pgtrickle.pgt_inbox_config i WHERE inbox_status.name IS NULL OR i.inbox_name = inbox_status.name ORDER BY 1
$fn$;
