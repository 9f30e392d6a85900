-- The latest failures of a stream table, what kind of failure each is, and what to do about it. Told by SQLSTATE.
CREATE FUNCTION pgtrickle.diagnose_errors(name text)
RETURNS TABLE (event_time timestamptz, error_type text, error_message text, remediation text, error_code text)
LANGUAGE plpgsql STABLE STRICT AS $fn$
BEGIN
    RETURN QUERY SELECT * FROM pgtrickle._diagnose_errors(
        pgtrickle._resolve(diagnose_errors.name, current_schema()::pg_catalog.text));
END
$fn$;
