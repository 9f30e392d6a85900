-- Have the instances look at the catalog now, once this transaction is committed.
CREATE FUNCTION pgtrickle._ring() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT pg_notify('pgtrickle_wake', 'members')
$fn$;
