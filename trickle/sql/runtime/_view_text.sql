-- The text of a view with every name qualified that a search path could change.
CREATE FUNCTION pgtrickle._view_text(view_oid oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog AS $fn$
    SELECT pg_get_viewdef(view_oid)
$fn$;
