-- Hold the ordering keys of these jobs until the end of the transaction, in the same order whoever does it; whether they
-- have any.
CREATE FUNCTION pgtrickle._lock_job_keys(ids bigint[]) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
BEGIN
    PERFORM pg_advisory_xact_lock(k.class, k.number)
    FROM (SELECT DISTINCT l.class, l.number
          FROM pgtrickle.job j, LATERAL pgtrickle._job_key_lock(j.name, j.ordering_key) l
          WHERE j.id = ANY (ids) AND j.ordering_key IS NOT NULL ORDER BY 1, 2) k;
    RETURN FOUND;
END
$fn$;
