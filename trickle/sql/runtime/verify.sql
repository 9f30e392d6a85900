-- Refresh a stream table, then compare it with its defining query as bags, at one snapshot. `pending` says that
-- changes committed in between, so that rows may differ for no fault; it is tried a few times to find a quiet moment.
CREATE FUNCTION pgtrickle.verify(name text)
RETURNS TABLE (stream_table text, equal boolean, missing_rows bigint, extra_rows bigint, pending boolean)
LANGUAGE plpgsql STRICT AS $fn$
BEGIN
    RETURN QUERY SELECT * FROM pgtrickle._verify(
        pgtrickle._resolve(verify.name, current_schema()::pg_catalog.text));
END
$fn$;
