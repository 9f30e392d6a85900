-- Put stream tables together: a worker refreshes all of them in one transaction, with `repeatable_read` at one snapshot.
CREATE FUNCTION pgtrickle.create_refresh_group(
    group_name text, members text[], isolation text DEFAULT 'read_committed') RETURNS int
LANGUAGE plpgsql AS $fn$
DECLARE
    path   pg_catalog.text := current_schema();
    pgt_ids pg_catalog.int8[];
BEGIN
    SELECT pg_catalog.array_agg(DISTINCT (pgtrickle._resolve(m, path)).pgt_id) INTO pgt_ids
    FROM pg_catalog.unnest(members) m;
    RETURN pgtrickle._create_refresh_group(group_name, coalesce(pgt_ids, '{}'), isolation);
EXCEPTION WHEN undefined_table THEN
    RAISE EXCEPTION 'invalid argument: %', SQLERRM USING ERRCODE = '22023';
END
$fn$;
