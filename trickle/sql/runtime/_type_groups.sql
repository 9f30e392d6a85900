-- Can values of this type be compared by GROUP BY? PostgreSQL is asked, because arrays and rows inherit the answer.
CREATE FUNCTION pgtrickle._type_groups(typid oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT NULL::%s AS c OFFSET 0) x GROUP BY c', format_type(typid, NULL));
    RETURN true;
EXCEPTION WHEN undefined_function THEN
    RETURN false;
END
$fn$;
