-- {schema, table} of a name argument: split at the first dot and taken as it stands, since a name is an argument and
-- not SQL text; only a name that contains double quotes is read as SQL reads it.
CREATE FUNCTION pgtrickle._split_name(name text, default_schema text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    parts text[];
BEGIN
    IF name LIKE '%"%' THEN
        parts := parse_ident(name);
        IF cardinality(parts) > 2 THEN
            RAISE EXCEPTION 'invalid argument: "%" has more than two parts', name
                USING ERRCODE = '42602', HINT = 'Name a stream table schema.table.';
        END IF;
        RETURN CASE cardinality(parts) WHEN 2 THEN parts ELSE coalesce(default_schema, 'public') || parts END;
    ELSIF strpos(name, '.') > 0 THEN
        RETURN ARRAY[split_part(name, '.', 1), substr(name, strpos(name, '.') + 1)];
    END IF;
    RETURN ARRAY[coalesce(default_schema, 'public'), name];
END
$fn$;
