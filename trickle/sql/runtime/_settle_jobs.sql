-- What runners rely on by themselves, checked: the first that waits of an ordering key is not parked while none is active.
-- Only a hand that writes the table, or removes from it, can have made it so. Returns how many it took up.
CREATE FUNCTION pgtrickle._settle_jobs() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $fn$
#variable_conflict use_variable
DECLARE
    stranded bigint[];
BEGIN
    stranded := ARRAY(SELECT f.id
                      FROM (SELECT DISTINCT ON (j.name, j.ordering_key) j.id, j.name, j.ordering_key, j.is_parked
                            FROM pgtrickle.job j
                            WHERE j.ordering_key IS NOT NULL AND j.state IN ('created', 'retry')
                            ORDER BY j.name, j.ordering_key, j.id) f
                      WHERE f.is_parked AND NOT EXISTS (SELECT FROM pgtrickle.job a WHERE a.name = f.name
                                                        AND a.ordering_key = f.ordering_key AND a.state = 'active'));
    PERFORM pgtrickle._lock_job_keys(stranded);
    PERFORM pgtrickle._pass_job_keys(stranded);
    RETURN cardinality(stranded);
END
$fn$;
