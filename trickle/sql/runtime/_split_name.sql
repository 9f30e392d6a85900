-- {schema, table} of a name argument. No identifier quoting: the text is the name.
CREATE FUNCTION pgtrickle._split_name(name text, default_schema text) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT CASE WHEN strpos(name, '.') > 0
                THEN ARRAY[split_part(name, '.', 1), substr(name, strpos(name, '.') + 1)]
                ELSE ARRAY[coalesce(default_schema, 'public'), name] END
$fn$;
