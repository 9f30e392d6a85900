-- The rows of a snapshot belong to its frontier: with others a refresh would go on from what never was.
CREATE FUNCTION pgtrickle._guard_snapshot() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    RAISE EXCEPTION 'cannot change snapshot %.%', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = '42809', HINT = 'Copy its rows into a table of your own, or drop it with pgtrickle.drop_snapshot.';
END
$fn$;
