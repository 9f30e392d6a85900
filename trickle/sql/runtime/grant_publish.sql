-- Let a role publish to an outbox, and nothing else.
CREATE FUNCTION pgtrickle.grant_publish(outbox text, role name) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    box pgtrickle.pgt_outbox_config := pgtrickle._find_outbox(outbox, 'pgtrickle');
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA pgtrickle TO %I', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION pgtrickle.publish(text, text, jsonb, jsonb), '
                   'pgtrickle.publish_bytes(text, text, bytea, text, jsonb), '
                   'pgtrickle._publish(text, text, jsonb, jsonb, bytea, text) TO %I', role);
    EXECUTE format('GRANT SELECT ON pgtrickle.pgt_outbox_config TO %I', role);
    EXECUTE format('GRANT INSERT, SELECT (pgt_id) ON pgtrickle.%I TO %I', box.outbox_table_name, role);
END
$fn$;
