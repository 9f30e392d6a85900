-- Let a stream table whose fuse has blown go on. What is pending goes through: `apply` applies it, `reinitialize`
-- computes everything anew, `skip_changes` leaves it out, and the table differs from its query until it is refreshed in
-- full. After the next refresh the fuse guards it again.
CREATE FUNCTION pgtrickle.reset_fuse(name text, action text DEFAULT 'apply') RETURNS void
LANGUAGE plpgsql STRICT AS $fn$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._resolve(name, current_schema()::pg_catalog.text);
BEGIN
    PERFORM pgtrickle._reset_fuse(st, action);
END
$fn$;
