-- The view whose columns the storage has: with hidden columns where the compiler added some, else the query itself.
CREATE FUNCTION pgtrickle._stored_view(pgt_id bigint) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT coalesce(to_regclass(format('pgtrickle_programs.stored_%s', pgt_id)),
                    to_regclass(format('pgtrickle_programs.query_%s', pgt_id)))
$fn$;
