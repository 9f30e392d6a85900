-- Make those ready whose time has come, a batch at most. Returns how many.
CREATE FUNCTION pgtrickle._due_jobs(most int) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $fn$
#variable_conflict use_variable
DECLARE
    made   bigint;
    queues text[];
    queue  text;
BEGIN
    WITH due AS (
        UPDATE pgtrickle.job j SET is_ready = true
        WHERE j.id IN (SELECT w.id FROM pgtrickle.job w
                       WHERE w.state IN ('created', 'retry') AND NOT w.is_ready AND NOT w.is_parked
                         AND w.start_after <= clock_timestamp()
                       ORDER BY w.start_after LIMIT most FOR UPDATE SKIP LOCKED)
        RETURNING j.name
    )
    SELECT count(*), array_agg(DISTINCT d.name) INTO made, queues FROM due d;
    IF made > 0 THEN
        FOREACH queue IN ARRAY queues LOOP
            PERFORM pgtrickle._ring_jobs(queue);
        END LOOP;
    END IF;
    RETURN made;
END
$fn$;
