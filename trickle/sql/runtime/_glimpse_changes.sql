-- As _has_changes, and no lock is kept: whoever asks for ten thousand stream tables would need more than the server has.
CREATE FUNCTION pgtrickle._glimpse_changes(pgt_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    has_some boolean;
BEGIN
    has_some := pgtrickle._has_changes(_glimpse_changes.pgt_id);
    RAISE SQLSTATE 'PGT02';
EXCEPTION WHEN SQLSTATE 'PGT02' THEN
    RETURN has_some;
END
$fn$;
