-- Take messages into an inbox, each event once; returns how many were new. All or none. The arrays go side by side; what an
-- inbox that tracks a table of its owner's has no column for is left out.
CREATE FUNCTION pgtrickle.receive(
    inbox text, event_ids text[], event_types text[], sources text[], keys text[], payloads text[], trace_ids text[])
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
DECLARE
    box    pgtrickle.pgt_inbox_config := pgtrickle._find_inbox(inbox);
    names  text;
    fields text;
    taken  bigint;
BEGIN
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY c.field),
           string_agg(format('r.%s::%s', c.field, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY c.field)
    INTO names, fields
    FROM (VALUES (box.id_column, 'event_id'), (box.event_type_column, 'event_type'), ('source', 'source'),
                 (coalesce(box.aggregate_id_col, 'aggregate_id'), 'key'), ('payload', 'payload'), ('trace_id', 'trace_id')) c(name, field)
    JOIN pg_attribute a ON a.attrelid = to_regclass(format('%I.%I', box.inbox_schema, box.table_name)) AND a.attname = c.name
                       AND NOT a.attisdropped AND a.attgenerated = '';
    IF names IS NULL THEN
        RAISE EXCEPTION 'the table of inbox % does not exist any more: %.%', inbox, box.inbox_schema, box.table_name
            USING ERRCODE = '42P01', HINT = 'pgtrickle.drop_inbox(name) forgets the inbox.';
    END IF;
    EXECUTE format(
        'INSERT INTO %I.%I (%s) SELECT %s FROM unnest($1, $2, $3, $4, $5, $6) '
        'WITH ORDINALITY AS r(event_id, event_type, source, key, payload, trace_id, n) ORDER BY r.n ON CONFLICT DO NOTHING',
        box.inbox_schema, box.table_name, names, fields)
    USING event_ids, event_types, sources, keys, payloads, trace_ids;
    GET DIAGNOSTICS taken = ROW_COUNT;
    RETURN taken;
END
$fn$;
