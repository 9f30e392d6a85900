-- These jobs have ended, or are to be tried again: of each of their ordering keys the first one that waits has its turn. The
-- caller holds the keys.
CREATE FUNCTION pgtrickle._pass_job_keys(ids bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $fn$
#variable_conflict use_variable
DECLARE
    one record;
BEGIN
    FOR one IN SELECT DISTINCT j.name, j.ordering_key FROM pgtrickle.job j
               WHERE j.id = ANY (ids) AND j.ordering_key IS NOT NULL
    LOOP
        PERFORM pgtrickle._unpark_job(f.id)
        FROM (SELECT j.id, j.is_parked FROM pgtrickle.job j
              WHERE j.name = one.name AND j.ordering_key = one.ordering_key AND j.state IN ('created', 'retry')
              ORDER BY j.id LIMIT 1) f
        WHERE f.is_parked AND NOT EXISTS (SELECT FROM pgtrickle.job a WHERE a.name = one.name
                                          AND a.ordering_key = one.ordering_key AND a.state = 'active');
    END LOOP;
END
$fn$;
