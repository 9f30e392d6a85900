-- The views that read a relation, each with the statement that makes it read, by its name, whatever relation has the
-- name then. It keeps its identity, its rights and its own readers.
CREATE FUNCTION pgtrickle._dependent_views(relid oid) RETURNS TABLE (view text, command text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT c.oid::regclass::text,
           format('CREATE OR REPLACE VIEW %s%s AS %s', c.oid::regclass,
                  ' WITH (' || array_to_string(c.reloptions, ', ') || ')', pg_get_viewdef(c.oid))
    FROM pg_class c
    WHERE c.relkind = 'v' AND EXISTS (
        SELECT FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
        WHERE r.ev_class = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = relid)
    ORDER BY c.oid
$fn$;
