-- A table for messages from outside, received once each by their event_id, and stream tables beside it: <name>_pending,
-- <name>_dlq of those that failed too often, <name>_stats.
CREATE FUNCTION pgtrickle.create_inbox(
    name text, schema text DEFAULT 'pgtrickle', max_retries int DEFAULT 3, schedule text DEFAULT '1s',
    with_dead_letter boolean DEFAULT true, with_stats boolean DEFAULT true, retention_hours int DEFAULT NULL,
    schedule_seconds int DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
DECLARE
    hours int := coalesce(retention_hours, pgtrickle._setting_number('inbox_processed_retention_hours', '72')::int);
BEGIN
    PERFORM pgtrickle._assert_inbox_name(name);
    IF max_retries < 0 OR hours < 1 THEN
        RAISE EXCEPTION 'invalid argument: max_retries is not negative, and retention_hours is at least 1' USING ERRCODE = '22023';
    ELSIF to_regclass(format('%I.%I', schema, name)) IS NOT NULL THEN
        RAISE EXCEPTION 'inbox table %.% exists already', schema, name
            USING ERRCODE = '42P07', HINT = 'pgtrickle.enable_inbox_tracking makes an inbox of a table of yours.';
    END IF;
    EXECUTE format(
        'CREATE TABLE %I.%I (event_id text PRIMARY KEY, event_type text, source text, aggregate_id text, payload jsonb, '
        'received_at timestamptz NOT NULL DEFAULT now(), processed_at timestamptz, error text, '
        'retry_count int NOT NULL DEFAULT 0, trace_id text, event_sequence bigint, priority int)', schema, name);
    EXECUTE format('CREATE INDEX ON %I.%I (processed_at)', schema, name);
    INSERT INTO pgtrickle.pgt_inbox_config
        (inbox_name, inbox_schema, table_name, max_retries, schedule, with_dead_letter, with_stats, retention_hours)
    VALUES (name, schema, name, max_retries, coalesce(schedule_seconds::text, schedule), with_dead_letter, with_stats, hours);
    PERFORM pgtrickle._create_inbox_views(name);
END
$fn$;
