-- Refresh now, as the worker would. A refresh of the same table in another session is waited for.
CREATE FUNCTION pgtrickle.refresh_stream_table(name text) RETURNS void
LANGUAGE plpgsql STRICT AS $fn$
BEGIN
    PERFORM pgtrickle._refresh((pgtrickle._resolve(name, current_schema()::text)).pgt_id, 'MANUAL', false);
END
$fn$;
