-- Drop a stream table; with cascade also those that read it, and other objects that depend on its storage.
CREATE FUNCTION pgtrickle.drop_stream_table(name text, "cascade" boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql STRICT AS $fn$
BEGIN
    PERFORM pgtrickle._drop((pgtrickle._resolve(name, current_schema()::pg_catalog.text)).pgt_id, "cascade");
END
$fn$;
