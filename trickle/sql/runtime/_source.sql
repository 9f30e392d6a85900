-- The relation that a name argument means as a source: a table, or whatever else can be read.
CREATE FUNCTION pgtrickle._source(name text, default_schema text) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    wanted text[] := pgtrickle._split_name(name, default_schema);
    relid  oid := to_regclass(format('%I.%I', wanted[1], wanted[2]));
BEGIN
    IF relid IS NULL THEN
        RAISE EXCEPTION 'relation not found: %.%', wanted[1], wanted[2]
            USING ERRCODE = '42P01', HINT = 'Name a source schema.table.';
    END IF;
    RETURN relid;
END
$fn$;
