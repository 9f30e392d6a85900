-- Index a table of Trickle's own by columns that its rows are found by. No ordered index holds a value of a third of a
-- page or more: where there is one, a hash of the first column that may be so long has to do.
CREATE FUNCTION pgtrickle._index(relation regclass, name text, columns text[], is_unique boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    listed text := (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.place)
                    FROM unnest(columns) WITH ORDINALITY c(name, place));
BEGIN
    EXECUTE format('CREATE %s INDEX %I ON %s (%s) %s', CASE WHEN is_unique THEN 'UNIQUE' END, name, relation, listed,
                   CASE WHEN is_unique THEN 'NULLS NOT DISTINCT' END);
EXCEPTION WHEN program_limit_exceeded THEN
    PERFORM pgtrickle._index_by_hash(relation, name, columns);
END
$fn$;
