-- Wait until no transaction is left that has written through an IMMEDIATE stream table, and keep others from it until
-- this one ends. Taken before its storage, its program or its mode changes, and before it is filled.
CREATE FUNCTION pgtrickle._exclude_writers(pgt_id bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT pg_advisory_xact_lock(1953655660, _exclude_writers.pgt_id::int)
$fn$;
