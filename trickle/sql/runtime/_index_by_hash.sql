-- Index a table by a hash of the first of some columns whose values may have any length and can be hashed. Says whether
-- there is such a column.
CREATE FUNCTION pgtrickle._index_by_hash(relation regclass, name text, columns text[]) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    long text := (
        SELECT a.attname
        FROM unnest(columns) WITH ORDINALITY c(name, place)
        JOIN pg_attribute a ON a.attrelid = relation AND a.attname = c.name AND a.attlen = -1
        JOIN pg_type t ON t.oid = a.atttypid
        WHERE t.typcategory <> 'N' AND EXISTS (SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = 'hash'
                      WHERE o.opcdefault AND o.opcintype IN (
                          a.atttypid, CASE t.typcategory WHEN 'S' THEN 'text'::regtype WHEN 'A' THEN 'anyarray'::regtype END))
        ORDER BY c.place
        LIMIT 1);
BEGIN
    IF long IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE INDEX %I ON %s USING hash (%I)', name, relation, long);
    RETURN true;
END
$fn$;
