CREATE FUNCTION pgtrickle._create_consumer_group(name text, box pgtrickle.pgt_outbox_config, auto_offset_reset text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    reset text := pgtrickle._choose('auto_offset_reset', auto_offset_reset, '{earliest,latest}');
    seen  pg_snapshot := CASE reset WHEN 'latest' THEN pg_current_snapshot() ELSE '1:1:'::pg_snapshot END;
BEGIN
    IF btrim(name) = '' THEN
        RAISE EXCEPTION 'invalid argument: a consumer group has a name' USING ERRCODE = '22023';
    END IF;
    INSERT INTO pgtrickle.pgt_consumer_groups (group_name, outbox_name, auto_offset_reset, prev, cur)
    VALUES (name, box.outbox_name, reset, seen, seen) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'consumer group already exists: %', name USING ERRCODE = '42710';
    END IF;
END
$fn$;
