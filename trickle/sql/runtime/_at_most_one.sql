-- A subquery that stands for a value has at most one row.
CREATE FUNCTION pgtrickle._at_most_one(found_rows bigint) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF found_rows > 1 THEN
        RAISE EXCEPTION 'more than one row returned by a subquery used as an expression' USING ERRCODE = '21000';
    END IF;
    RETURN true;
END
$fn$;
