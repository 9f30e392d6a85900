-- Has this type an extended hash function, so that a row holding it can be found by hash?
CREATE FUNCTION pgtrickle._type_hashes(typid oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    EXECUTE format('SELECT hash_record_extended(ROW(NULL::%s), 0)', format_type(typid, NULL));
    RETURN true;
EXCEPTION WHEN undefined_function THEN
    RETURN false;
END
$fn$;
