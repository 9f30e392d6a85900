-- The query inside a query view, as PostgreSQL prints it with every name qualified.
CREATE FUNCTION pgtrickle._canonical_query(view_oid oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog SET standard_conforming_strings = on AS $fn$
    SELECT regexp_replace(regexp_replace(pgtrickle._view_text(view_oid), '^.*?\n\s+FROM \( ?', ''),
                          '\) __pgt_q(\([^\n]*\))?;$', '')
$fn$;
