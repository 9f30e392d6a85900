-- From now on every refresh that changes a stream table writes what changed to its outbox, in its own transaction:
-- the table pgtrickle.outbox_<name>, and its view pgtrickle.pgt_outbox_<name>.
CREATE FUNCTION pgtrickle.enable_outbox(name text, retention_hours int DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $fn$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._resolve(name, current_schema()::pg_catalog.text);
BEGIN
    PERFORM pgtrickle._enable_outbox(st, retention_hours);
END
$fn$;
